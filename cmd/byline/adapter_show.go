package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func adapterShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what an adapter does with an application's requests",
		Args:  cobra.ExactArgs(1),
		Long: "Shows the adapter as it is in force, after extends: its hosts, why it exists and until when, how it logs in, what\n" +
			"happens to cookies and header fields, and its actions in the order in which they are tried.",
		Example: "  byline adapter show wiki\n  byline adapter show --library mediawiki\n  byline adapter show wiki --json | jq .actions",
	}
	library := libraryFlag(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		all, err := readAdapters(c, *library)
		if err != nil {
			return err
		}
		a := adapterByName(all, args[0])
		if a == nil {
			return unknownAdapter(args[0], all, *library)
		}

		whole := adapterInForce{a.Digest(), a.Spec()}
		return cli.Print(c, *asJSON, whole, func(w io.Writer) error { return showAdapter(w, a) })
	}
	return c
}

// adapterInForce is an adapter after extends, with the digest by which records name it.
type adapterInForce struct {
	Digest string `json:"digest"`
	adapters.Spec
}

// showAdapter answers what a reviewer asks: where it applies, why and until when, who logs
// in, what is removed, and which actions there are.
func showAdapter(w io.Writer, a *adapters.Adapter) error {
	s := a.Spec()

	hosts, review := strings.Join(s.Hosts, ", "), reviewText(s.Interim, a.Overdue(time.Now()))
	if len(s.Hosts) == 0 {
		hosts, review = "none: extend it, and name yours", ""
	}
	rows := [][]string{
		{"extends", s.Extends},
		{"hosts", hosts},
		{"upstream", s.Upstream.URL},
		{"because", s.Interim.Reason},
		{"owner", s.Interim.Owner},
		{"review by", review},
		{"login", s.Login.Kind + ": " + loginText(&s.Login)},
		{"login also at", strings.Join(s.Login.Hosts, ", ")},
		{"logout", stepsText(s.Login.Logout.Steps)},
		{"pinned", strings.Join(s.Pin, ", ")},
		{"cookies held", strings.Join(s.Cookies.Hold, ", ") + " and all that are not passed"},
		{"cookies passed", strings.Join(s.Cookies.Pass, ", ")},
		{"cookies shared", strings.Join(s.Cookies.Share, ", ")},
		{"headers stripped", strings.Join(s.Headers.Strip, ", ")},
		{"headers passed", strings.Join(s.Headers.Pass, ", ")},
		{"query stripped", strings.Join(s.Query.Strip, ", ")},
		{"digest", a.Digest()},
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return strings.TrimSpace(row[1]) == "" })
	if err := cli.Table(w, []string{"adapter", s.Name}, rows); err != nil {
		return err
	}

	fmt.Fprintln(w)
	return cli.Table(w, []string{"ACTION", "GRANT", "METHOD", "PATH", "RESOURCE", "WHERE"}, actionRows(s.Actions))
}

// actionRows has one row for each path of an action, because some actions have
// dozens. Only the first row of an action has the other columns.
func actionRows(actions []adapters.ActionSpec) [][]string {
	var rows [][]string
	for _, action := range actions {
		for i, path := range action.Match.Path {
			row := []string{"", "", "", path, "", ""}
			if i == 0 {
				row = []string{
					action.Name,
					grantText(&action),
					cmp.Or(strings.Join(action.Match.Method, " "), "any"),
					path,
					cmp.Or(action.Resource, "-"),
					cmp.Or(conditionText(&action.Match), "-"),
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// grantText says how a scope must name the action in order to grant it.
func grantText(a *adapters.ActionSpec) string {
	switch {
	case a.Login:
		return "never (login)"
	case a.Privileged:
		return "by name"
	}
	return "by name or *"
}

// loginText says in one line how the adapter logs in or authenticates.
func loginText(l *adapters.LoginSpec) string {
	switch {
	case len(l.Steps) > 0:
		return stepsText(l.Steps)
	case l.Header != "":
		return l.Header
	case l.TokenURL != "":
		return "POST " + l.TokenURL
	case l.Kind == "query":
		return "the parameters " + strings.Join(slices.Sorted(maps.Keys(l.Query)), ", ")
	}
	return "Authorization"
}

func stepsText(steps []adapters.StepSpec) string {
	var all []string
	for i := range steps {
		method, target := steps[i].Request()
		all = append(all, method+" "+target)
	}
	return strings.Join(all, ", then ")
}

// conditionText lists in one line what else must match: name=pattern|pattern, with -
// for a value that must be absent.
func conditionText(m *adapters.MatchSpec) string {
	var all []string
	add := func(prefix string, conditions map[string]adapters.Strings) {
		for _, key := range slices.Sorted(maps.Keys(conditions)) {
			var values []string
			for _, v := range conditions[key] {
				values = append(values, cmp.Or(v, "-"))
			}
			all = append(all, prefix+key+"="+strings.Join(values, "|"))
		}
	}

	add("query ", m.Query)
	add("form ", m.Form)
	add("", m.Param)
	add("json ", m.JSON)
	add("header ", m.Header)
	add("xml ", m.XML)
	add("argument ", m.GraphQL.Argument)
	if len(m.GraphQL.Field) > 0 {
		all = append(all, "graphql "+strings.Join(m.GraphQL.Type, "|")+" "+strings.Join(m.GraphQL.Field, "|"))
	}
	if len(m.ContentType) > 0 {
		all = append(all, "type "+strings.Join(m.ContentType, "|"))
	}
	if m.Only != nil {
		all = append(all, "else only: "+cmp.Or(strings.Join(m.Only, " "), "-"))
	}
	return strings.Join(all, ", ")
}
