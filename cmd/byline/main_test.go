package main

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"byline": main}) }

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata"}) }

func TestEveryCommandHasAnExample(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(tree())
}

func TestInsidePassesTheExitCode(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, []byte("root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143,
		`test "$BYLINE_TASK$NO_PROXY" = t_1 && grep -q root "$SSL_CERT_FILE"`: 0} {
		got, err := inside([]string{"sh", "-c", script}, &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "t_1", root)
		if err != nil || got != want {
			t.Errorf("%s: got %d %v, want %d", script, got, err, want)
		}
	}
}

func TestWrongUsageExitsWith2(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"task"}, {"task", "nonsense"}, {"check", "--nonsense"}, {"run", "--spec", "x"}, {"task", "show"}} {
		if got := start(args); got != 2 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}
