package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

func adapterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "adapter",
		Short:   "List, show and check adapters",
		Example: "  byline adapter list --library",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("adapter: name one of list, show and check")
		},
	}
	c.AddCommand(adapterListCommand(), adapterShowCommand(), adapterCheckCommand())
	return c
}

func libraryFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("library", false, "the adapters that ship with Byline, for extends, instead of those of adapters.dir")
}

// readAdapters reads the adapters of the configuration, or those that ship with
// Byline. The problems of files are written to standard error.
func readAdapters(c *cobra.Command, library bool) ([]*adapters.Adapter, error) {
	if library {
		all, err := adapters.LoadLibrary()
		if err != nil {
			return nil, cli.Failed("library", err, "this build is broken: install another one")
		}
		return all, nil
	}

	cfg, err := load.Config(c)
	if err != nil {
		return nil, err
	}

	var found load.Problems
	set := load.Adapters(cfg, &found)
	if len(found) > 0 {
		found.Print(c.ErrOrStderr())
		return nil, cli.Failed("adapters", errors.New(cli.Plural(len(found), "problem")),
			"fix the problems above; byline adapter check lists them again")
	}
	return set.All(), nil
}

// adapterByName returns nil if there is none.
func adapterByName(all []*adapters.Adapter, name string) *adapters.Adapter {
	for _, a := range all {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

// unknownAdapter is the error for a name that no adapter has. Its hint lists the names,
// and refers to the library if that has the name.
func unknownAdapter(name string, all []*adapters.Adapter, library bool) error {
	var names []string
	for _, a := range all {
		names = append(names, a.Name())
	}
	hint := "known: " + cmp.Or(strings.Join(names, ", "), "none, because adapters.dir is empty")

	shipped, err := adapters.LoadLibrary()
	if !library && err == nil && adapterByName(shipped, name) != nil {
		hint += "; the one that ships with Byline is shown by: byline adapter show --library " + name
	}
	return cli.Failed("adapter", fmt.Errorf("there is no adapter %q", name), hint)
}
