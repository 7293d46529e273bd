package main

import (
	"errors"
	"fmt"
	"strings"

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

func libraryFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("library", false, "the adapters that ship with Byline, for extends, instead of those of adapters.dir")
}

// adaptersOf reads the adapters in question; problems have been shown when it fails.
func adaptersOf(c *cobra.Command, library bool) ([]*adapters.Adapter, error) {
	if library {
		all, err := adapters.LoadLibrary()
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
	if shipped, err := adapters.LoadLibrary(); !library && err == nil && named(shipped, name) != nil {
		hint += "; the one that ships with Byline is shown by: byline adapter show --library " + name
	}
	return cli.Failed("adapter", fmt.Errorf("there is no adapter %q", name), hint)
}
