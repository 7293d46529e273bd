package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and the commit from which it was built",
		Example: "  byline version\n  byline version --json",
		Args:    cobra.NoArgs,
	}
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		v := builtVersion()
		return cli.Print(c, *asJSON, v, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, v)
			return err
		})
	}
	return c
}

// versionView is what a build knows about itself. A build outside a clone of the
// repository knows no commit.
type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified"`       // the clone had changes that were not committed
	Go       string `json:"go"`
}

// builtVersion describes this program.
func builtVersion() versionView {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		b = &debug.BuildInfo{}
	}
	return versionOf(b)
}

func versionOf(b *debug.BuildInfo) versionView {
	v := versionView{Version: cmp.Or(b.Main.Version, "unknown"), Go: b.GoVersion}
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String is one line, like "byline v1.2.3 commit 8c0bdc8 of 2026-11-25T08:00:00Z go1.26".
func (v versionView) String() string {
	text := "byline " + v.Version
	if v.Commit != "" {
		text += " commit " + v.Commit
		if v.Modified {
			text += " with changes"
		}
		text += " of " + v.Time
	}
	return text + " " + v.Go
}
