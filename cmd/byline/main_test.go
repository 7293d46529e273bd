package main

import (
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
	walk(tree())
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
