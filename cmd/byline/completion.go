package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/admin"
)

// These functions complete a command line that is being typed in a shell. If
// anything fails they offer nothing, and they write nothing to standard error.

// completion is what cobra calls. args are the words before the one that is being
// typed, toComplete is its beginning.
type completion = func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// maxCompletions is how many tasks are offered.
const maxCompletions = 1000

// completeTasks offers the newest active tasks of the running server.
func completeTasks(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}

	c.SetErr(io.Discard)
	control, _, err := client.Connect(c)
	if err != nil {
		return nil, noFiles
	}

	var offered []cobra.Completion
	for t, err := range control.Tasks(c.Context(), admin.TaskQuery{State: admin.StateActive, Limit: maxCompletions}) {
		if err != nil {
			return nil, noFiles
		}
		if t.State == admin.StateActive { // an older server lists all
			offered = append(offered, cobra.CompletionWithDesc(cli.Printable(t.ID), cli.Printable(t.Purpose+" "+t.Agent)))
		}
	}
	return offered, noFiles
}

// completeAdapters offers the names of the adapters, each followed by suffix.
func completeAdapters(suffix string) completion {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}

		var offered []cobra.Completion
		for _, a := range load.ConfiguredAdapters(c) {
			offered = append(offered, a.Name()+suffix)
		}
		if suffix == "" {
			return offered, noFiles
		}
		return offered, noFiles | cobra.ShellCompDirectiveNoSpace
	}
}

// completeAllow offers adapters, and the actions of an adapter that is already typed.
func completeAllow(c *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	name, actions, named := strings.Cut(toComplete, ":")
	if !named {
		return completeAdapters(":")(c, nil, toComplete)
	}

	before := name + ":" + actions[:strings.LastIndex(actions, ",")+1]
	var offered []cobra.Completion
	for _, a := range load.ConfiguredAdapters(c) {
		if a.Name() != name {
			continue
		}
		for _, spec := range a.NamedActions() {
			text := before + spec.Name
			if !spec.Login && !slices.Contains(offered, text) {
				offered = append(offered, text)
			}
		}
	}
	return offered, noFiles | cobra.ShellCompDirectiveNoSpace
}

// completeRecords offers the newest records of the log, the newest first.
func completeRecords(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}

	c.SetErr(io.Discard)
	log, err := logFolders(c, nil)
	if err != nil {
		return nil, noFiles
	}
	var offered []cobra.Completion
	for r, err := range log.Tail(c.Context(), maxRecordCompletions, false) {
		if err != nil {
			return nil, noFiles
		}
		what := strings.TrimSpace(r.Kind + " " + r.Method + " " + r.Host + r.Path + " " + r.Code)
		offered = append(offered, cobra.CompletionWithDesc(r.ID, cli.Printable(what)))
	}
	slices.Reverse(offered)
	return offered, noFiles | cobra.ShellCompDirectiveKeepOrder
}

// maxRecordCompletions is how many records are offered.
const maxRecordCompletions = 50

// completeAccounts offers the accounts in the vault's file.
func completeAccounts(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}

	c.SetErr(io.Discard)
	file, _, err := openVaultFile(c)
	if err != nil {
		return nil, noFiles
	}
	entries, err := file.Entries(c.Context(), nil)
	if err != nil {
		return nil, noFiles
	}

	var offered []cobra.Completion
	for _, e := range entries {
		offered = append(offered, e.Adapter+"/"+e.Account)
	}
	return offered, noFiles
}
