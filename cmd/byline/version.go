package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// versionView is what a build says of itself. A build outside a clone of the
// repository knows no commit.
type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified"`       // the clone held changes that were not committed
	Go       string `json:"go"`
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

// builtVersion is what this program says of itself.
func builtVersion() versionView {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		b = &debug.BuildInfo{}
	}
	return versionOf(b)
}

func versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version, and the commit it was built from", Example: "  byline version\n  byline version --json", Args: cobra.NoArgs}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), builtVersion())
		} else {
			_, err = fmt.Fprintln(c.OutOrStdout(), builtVersion())
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
	return c
}
