package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// What shells offer while a command is typed. Whatever goes wrong on the way,
// they offer nothing.

type completion = func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeTasks offers the tasks of the running server that are alive.
func completeTasks(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	quiet(c)
	control, _, err := client.Reach(c)
	if err != nil {
		return nil, noFiles
	}
	out, err := control.Ask(c.Context(), http.MethodGet, "/v1/tasks", nil)
	var all []admin.Task
	if err != nil || json.Unmarshal(out, &all) != nil {
		return nil, noFiles
	}
	var offered []cobra.Completion
	for _, t := range all {
		if t.State == admin.StateActive {
			offered = append(offered, cobra.CompletionWithDesc(cli.Clean(t.ID), cli.Clean(t.Purpose+" "+t.Agent)))
		}
	}
	return offered, noFiles
}

// completeAdapters offers the names of adapters, each with what follows it.
func completeAdapters(then string) completion {
	return func(c *cobra.Command, args []string, _ string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		for _, a := range configured(c) {
			offered = append(offered, a.Name()+then)
		}
		return offered, noFiles | cobra.ShellCompDirectiveNoSpace
	}
}

// completeAllow offers adapters first, and the actions of the one that was
// typed then.
func completeAllow(c *cobra.Command, _ []string, begun string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	name, actions, named := strings.Cut(begun, ":")
	if !named {
		return completeAdapters(":")(c, nil, begun)
	}
	before := name + ":" + actions[:strings.LastIndex(actions, ",")+1]
	for _, a := range configured(c) {
		if a.Name() != name {
			continue
		}
		for _, spec := range a.Actions() {
			if text := before + spec.Name; !slices.Contains(offered, text) && !spec.Login {
				offered = append(offered, text)
			}
		}
	}
	return offered, noFiles | cobra.ShellCompDirectiveNoSpace
}

// completeAccounts offers what the vault holds.
func completeAccounts(c *cobra.Command, args []string, _ string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	quiet(c)
	file, _, err := openVault(c)
	if err != nil || len(args) > 0 {
		return nil, noFiles
	}
	entries, err := file.List()
	if err != nil {
		return nil, noFiles
	}
	for _, e := range entries {
		offered = append(offered, e.Adapter+"/"+e.Account)
	}
	return offered, noFiles
}

// configured are the adapters that the configuration names, as far as they can
// be read.
func configured(c *cobra.Command) []*adapters.Adapter {
	path, _ := c.Flags().GetString("config")
	cfg, _, err := configs.Read(path)
	if err != nil {
		return nil
	}
	var unread load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &unread)
	if set == nil {
		return nil
	}
	return set.All()
}

// quiet keeps problems out of the line that is being typed.
func quiet(c *cobra.Command) { c.SetErr(io.Discard) }
