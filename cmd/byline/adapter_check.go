package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

func adapterCheckCommand() *cobra.Command {
	c := &cobra.Command{Use: "check [FILE...]", Short: "Check adapter files and explain every problem with its line",
		Long: "Checks the files as one set, as a server would load them, and lists every problem of all of them at once. Without FILE\n" +
			"it checks adapters.dir of the configuration. What is allowed and seldom meant is said as advice. It connects to nothing.",
		Example: "  byline adapter check adapters.d/wiki.yaml\n  byline adapter check --config /etc/byline/byline.yaml"}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var found load.Problems
		paths := args
		if len(paths) == 0 {
			cfg, err := load.Settings(c)
			if err != nil {
				return err
			}
			paths = load.FilesIn(cfg.Adapters.Dir, "adapters.dir", &found, ".yaml", ".yml")
		}
		own := load.ReadAdapters(paths, &found)
		set, err := adapters.Load(own)
		var wrong adapters.Problems
		if !errors.As(err, &wrong) {
			found.AddError(err)
		}
		if set != nil {
			for _, a := range set.All() {
				load.CheckUpstream(a, &found)
				if a.Overdue(time.Now()) {
					fmt.Fprintf(c.ErrOrStderr(), "byline: warning: adapter %s was to be reviewed by %s: %s is asked to\n", a.Name(), a.Interim().ReviewBy, a.Interim().Owner)
				}
			}
		}
		advice := adapters.Advise(own)
		if !*asJSON {
			for _, p := range advice {
				fmt.Fprintln(c.ErrOrStderr(), "byline: advice:", cli.Clean(p.Error()))
			}
			advice = nil
		}
		return reportAdapters(c.OutOrStdout(), set, wrong, found, advice, *asJSON)
	}
	return c
}

// reportAdapters is one line a problem, or that there is none.
func reportAdapters(w io.Writer, set *adapters.Set, wrong adapters.Problems, rest load.Problems, advice adapters.Problems, asJSON bool) error {
	n := len(wrong) + len(rest)
	if asJSON {
		all := []problemView{}
		for _, p := range wrong {
			all = append(all, problemView{File: p.File, Line: p.Line, What: p.What, Hint: p.Hint})
		}
		for _, p := range advice {
			all = append(all, problemView{File: p.File, Line: p.Line, What: p.What, Hint: p.Hint, Advice: true})
		}
		for _, text := range rest {
			all = append(all, problemView{What: text})
		}
		if err := cli.WriteJSON(w, all); err != nil {
			return cli.Failed("output", err, "")
		}
	} else {
		for _, p := range wrong {
			fmt.Fprintln(w, cli.Clean(p.Error()))
		}
		for _, text := range rest {
			fmt.Fprintln(w, cli.Clean(text))
		}
	}
	if n > 0 {
		return cli.Failed("adapter check", errors.New(cli.Counted(n, "problem")), "mend what is listed above; docs/adapters.md explains every key")
	}
	if !asJSON {
		fmt.Fprintf(w, "ok: %s\n", cli.Counted(len(set.All()), "adapter"))
	}
	return nil
}

// problemView is a problem in JSON. Without a file it is about the machine that the adapter is checked on.
type problemView struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	What string `json:"what"`
	Hint string `json:"hint,omitempty"`

	Advice bool `json:"advice,omitempty"` // allowed, and seldom meant: no reason to fail
}
