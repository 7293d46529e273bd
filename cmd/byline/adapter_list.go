package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

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

// adapterBrief is an adapter as the list shows it.
type adapterBrief struct {
	Name    string           `json:"name"`
	Extends string           `json:"extends,omitempty"`
	Hosts   []string         `json:"hosts"`
	Login   string           `json:"login"`
	Actions []string         `json:"actions"`
	Interim adapters.Interim `json:"interim,omitzero"`
	Overdue bool             `json:"overdue"`
	Digest  string           `json:"digest"`
}

func briefsOf(all []*adapters.Adapter) []adapterBrief {
	briefs := []adapterBrief{}
	for _, a := range all {
		s := a.Spec()
		b := adapterBrief{Name: s.Name, Extends: s.Extends, Hosts: append([]string{}, s.Hosts...), Login: s.Login.Kind, Actions: []string{},
			Interim: s.Interim, Overdue: a.Overdue(time.Now()), Digest: a.Digest()}
		for _, action := range s.Actions {
			if !slices.Contains(b.Actions, action.Name) {
				b.Actions = append(b.Actions, action.Name)
			}
		}
		briefs = append(briefs, b)
	}
	return briefs
}

func listAdapters(w io.Writer, all []*adapters.Adapter) error {
	var rows [][]string
	for _, b := range briefsOf(all) {
		rows = append(rows, []string{b.Name, cli.OrDash(b.Extends), cli.OrDash(strings.Join(b.Hosts, ", ")), b.Login, fmt.Sprint(len(b.Actions)),
			reviewText(b.Interim, b.Overdue), cli.OrDash(b.Interim.Owner)})
	}
	return cli.Table(w, []string{"ADAPTER", "EXTENDS", "HOSTS", "LOGIN", "ACTIONS", "REVIEW BY", "OWNER"}, rows)
}
