package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"byline": main}) }

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata"}) }

func TestEveryCommandHasAnExample(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no description", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
}

func TestWrongUsageExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"}, {"task"}, {"task", "nonsense"}, {"check", "--nonsense"}, {"task", "show"}, {"task", "create"},
		{"run", "--spec", "x"}, {"run", "--agent", "a", "--", "true"}, {"run", "--allow", "wiki", "--", "true"},
		{"task", "create", "--spec", "x", "--agent", "a"}, {"task", "create", "--spec", "x", "y"},
	} {
		if got := start(args); got != 2 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}

// TestEveryFailureIsNamedWithARemedy runs every command where there is nothing
// that it could work on.
func TestEveryFailureIsNamedWithARemedy(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		switch c.CommandPath() {
		case "byline", "byline init", "byline version", "byline demo", "byline completion", "byline help":
			return // these need nothing
		}
		args := append(strings.Fields(c.CommandPath())[1:], examples[c.CommandPath()]...)
		h := newInstallation(t.TempDir(), self, nil)
		code, out := h.exit(t, args...)
		if code != 1 && code != 2 || !strings.HasPrefix(out, "byline: ") || !strings.Contains(out, "\nhint: ") || strings.Contains(out, "goroutine") {
			t.Errorf("%q: exit %d, and it says:\n%s", args, code, out)
		}
	}
	walk(rootCommand())
}

// examples are arguments with which a command gets as far as its work.
var examples = map[string][]string{
	"byline run":         {"--agent", "a", "--sponsor", "s", "--purpose", "p", "--allow", "wiki:page.read", "--", "true"},
	"byline task create": {"--agent", "a", "--sponsor", "s", "--purpose", "p", "--allow", "wiki:page.read"},
	"byline task show":   {"t_1"}, "byline task end": {"t_1"},
	"byline vault put": {"wiki/agent-01"}, "byline vault rm": {"wiki/agent-01"},
	"byline explain":    {"--allow", "wiki:page.read", "https://wiki.acme.example/"},
	"byline audit show": {"r_1"}, "byline bench tune": {"--agents", "0"},
}
