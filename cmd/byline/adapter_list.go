package main

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func adapterListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the adapters of adapters.dir, or those that ship with Byline",
		Args:    cobra.NoArgs,
		Example: "  byline adapter list\n  byline adapter list --library\n  byline adapter list --json | jq -r '.[] | select(.overdue).name'",
	}
	library := libraryFlag(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		all, err := readAdapters(c, *library)
		if err != nil {
			return err
		}

		summaries := summarizeAdapters(all)
		return cli.Print(c, *asJSON, summaries, func(w io.Writer) error { return listAdapters(w, summaries) })
	}
	return c
}

// adapterSummary is an adapter as the list shows it.
type adapterSummary struct {
	Name    string           `json:"name"`
	Extends string           `json:"extends,omitempty"`
	Hosts   []string         `json:"hosts"`
	Login   string           `json:"login"`   // the kind
	Actions []string         `json:"actions"` // each name once
	Interim adapters.Interim `json:"interim,omitzero"`
	Overdue bool             `json:"overdue"`
	Digest  string           `json:"digest"`
}

func summarizeAdapters(all []*adapters.Adapter) []adapterSummary {
	summaries := []adapterSummary{} // an empty list is [] in JSON
	for _, a := range all {
		spec := a.Spec()

		actions := []string{}
		for _, action := range a.NamedActions() {
			if !slices.Contains(actions, action.Name) {
				actions = append(actions, action.Name)
			}
		}

		summaries = append(summaries, adapterSummary{
			Name:    spec.Name,
			Extends: spec.Extends,
			Hosts:   append([]string{}, spec.Hosts...),
			Login:   spec.Login.Kind,
			Actions: actions,
			Interim: spec.Interim,
			Overdue: a.Overdue(time.Now()),
			Digest:  a.Digest(),
		})
	}
	return summaries
}

func listAdapters(w io.Writer, all []adapterSummary) error {
	var rows [][]string
	for _, a := range all {
		rows = append(rows, []string{
			a.Name,
			cmp.Or(a.Extends, "-"),
			cmp.Or(strings.Join(a.Hosts, ", "), "-"),
			a.Login,
			strconv.Itoa(len(a.Actions)),
			cmp.Or(reviewText(a.Interim, a.Overdue), "-"),
			cmp.Or(a.Interim.Owner, "-"),
		})
	}
	return cli.Table(w, []string{"ADAPTER", "EXTENDS", "HOSTS", "LOGIN", "ACTIONS", "REVIEW BY", "OWNER"}, rows)
}

// reviewText is the review date, marked if it has passed.
func reviewText(i adapters.Interim, overdue bool) string {
	if overdue {
		return i.ReviewBy + " (overdue)"
	}
	return i.ReviewBy
}
