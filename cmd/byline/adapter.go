package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

func adapterCommand() *cobra.Command {
	a := &cobra.Command{Use: "adapter", Short: "List, show and check adapters", Example: "  byline adapter list --library", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("adapter: name one of list, show and check")
		}}
	a.AddCommand(adapterListCommand(), adapterShowCommand(), adapterCheckCommand())
	return a
}

func adapterListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the adapters of adapters.dir, or those that ship with Byline", Args: cobra.NoArgs,
		Example: "  byline adapter list\n  byline adapter list --library\n  byline adapter list --json | jq -r '.[] | select(.overdue).name'"}
	library, asJSON := libraryFlag(c), cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		all, err := adaptersOf(c, *library)
		if err != nil {
			return err
		}
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), briefsOf(all))
		} else {
			err = listAdapters(c.OutOrStdout(), all)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
	return c
}

func adapterShowCommand() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show what an adapter does with an application's requests", Args: cobra.ExactArgs(1),
		Long: "Shows the adapter as it is in force, after extends: its hosts, why it exists and until when, how it logs in, what becomes\n" +
			"of cookies and headers, and its actions in the order in which they are tried.",
		Example: "  byline adapter show wiki\n  byline adapter show --library mediawiki\n  byline adapter show wiki --json | jq .actions"}
	library, asJSON := libraryFlag(c), cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		all, err := adaptersOf(c, *library)
		if err != nil {
			return err
		}
		a := named(all, args[0])
		if a == nil {
			return unknownAdapter(args[0], all, *library)
		}
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), wholeOf(a))
		} else {
			err = showAdapter(c.OutOrStdout(), a)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
	return c
}

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

func libraryFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("library", false, "the adapters that ship with Byline, for extends, instead of those of adapters.dir")
}

// adaptersOf reads the adapters in question; problems have been shown when it fails.
func adaptersOf(c *cobra.Command, library bool) ([]*adapters.Adapter, error) {
	if library {
		all, err := adapters.Shipped()
		if err != nil {
			return nil, cli.Failed("library", err, "this build is broken: install another one")
		}
		return all, nil
	}
	cfg, err := load.Settings(c)
	if err != nil {
		return nil, err
	}
	var found load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &found)
	if len(found) > 0 {
		for _, line := range found {
			fmt.Fprintln(c.ErrOrStderr(), cli.Clean(line))
		}
		return nil, cli.Failed("adapters", errors.New(cli.Counted(len(found), "problem")), "mend the lines above; byline adapter check lists them again")
	}
	return set.All(), nil
}

func named(all []*adapters.Adapter, name string) *adapters.Adapter {
	for _, a := range all {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

func unknownAdapter(name string, all []*adapters.Adapter, library bool) error {
	var names []string
	for _, a := range all {
		names = append(names, a.Name())
	}
	hint := "known: " + strings.Join(names, ", ")
	if len(names) == 0 {
		hint = "adapters.dir holds none"
	}
	if shipped, err := adapters.Shipped(); !library && err == nil && named(shipped, name) != nil {
		hint += "; the one that ships with Byline is shown by: byline adapter show --library " + name
	}
	return cli.Failed("adapter", fmt.Errorf("there is no adapter %q", name), hint)
}
