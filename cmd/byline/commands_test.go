package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestMain makes this binary byline when scripts and installations run it under that name.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"byline": main}) }

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata"}) }

// forEachCommand calls f with every command of the tree.
func forEachCommand(f func(*cobra.Command)) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		f(c)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(rootCommand())
}

func TestEveryCommandHasAnExample(t *testing.T) {
	forEachCommand(func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no description", c.CommandPath())
		}
	})
}

func TestWrongUsageExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"task"},
		{"task", "nonsense"},
		{"check", "--nonsense"},
		{"task", "show"},
		{"task", "create"},
		{"run", "--spec", "x"},
		{"run", "--agent", "a", "--", "true"},
		{"run", "--allow", "wiki", "--", "true"},
		{"task", "create", "--spec", "x", "--agent", "a"},
		{"task", "create", "--spec", "x", "y"},
	} {
		if got := start(args); got != 2 {
			t.Errorf("byline %q exits with %d, want 2", args, got)
		}
	}
}

// TestEveryFailureIsNamedWithARemedy runs every command in an empty folder.
func TestEveryFailureIsNamedWithARemedy(t *testing.T) {
	forEachCommand(func(c *cobra.Command) {
		switch c.CommandPath() {
		case "byline", "byline init", "byline version", "byline demo", "byline completion", "byline help":
			return // these succeed in an empty folder
		}

		args := append(strings.Fields(c.CommandPath())[1:], neededArgs[c.CommandPath()]...)
		code, out := newInstallation(t, t.TempDir(), nil).exitCode(t, args...)
		if code != 1 && code != 2 {
			t.Errorf("byline %q exits with %d, want 1 or 2", args, code)
		}
		namesBoth := strings.HasPrefix(out, "byline: ") && strings.Contains(out, "\nhint: ")
		if c.CommandPath() == "byline serve" { // whose every line is JSON where no terminal reads it
			var line struct{ Message, Hint string }
			namesBoth = json.Unmarshal([]byte(out), &line) == nil && line.Message != "" && line.Hint != ""
		}
		if !namesBoth || strings.Contains(out, "goroutine") {
			t.Errorf("byline %q does not name a failure and a remedy:\n%s", args, out)
		}
	})
}

// neededArgs are arguments with which a command gets as far as its work.
var neededArgs = map[string][]string{
	"byline run":         {"--agent", "a", "--sponsor", "s", "--purpose", "p", "--allow", "wiki:page.read", "--", "true"},
	"byline task create": {"--agent", "a", "--sponsor", "s", "--purpose", "p", "--allow", "wiki:page.read"},
	"byline task show":   {"t_1"},
	"byline task end":    {"t_1"},
	"byline vault put":   {"wiki/agent-01"},
	"byline vault rm":    {"wiki/agent-01"},
	"byline explain":     {"--allow", "wiki:page.read", "https://wiki.acme.example/"},
	"byline audit show":  {"r_1"},
	"byline bench tune":  {"--agents", "0"},
}
