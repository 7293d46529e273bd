package main

import (
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

// adapterWhole is an adapter in force, with the digest that records name it by.
type adapterWhole struct {
	Digest string `json:"digest"`
	adapters.Spec
}

func wholeOf(a *adapters.Adapter) adapterWhole { return adapterWhole{a.Digest(), a.Spec()} }

func reviewText(i adapters.Interim, overdue bool) string {
	if overdue {
		return i.ReviewBy + " (overdue)"
	}
	return cli.OrDash(i.ReviewBy)
}

// showAdapter writes what a reviewer asks: where, why and until when, as whom, what stays back, what may be done.
func showAdapter(w io.Writer, a *adapters.Adapter) error {
	s := a.Spec()
	rows := [][]string{{"extends", s.Extends}, {"hosts", strings.Join(s.Hosts, ", ")}, {"upstream", s.Upstream.URL},
		{"because", s.Interim.Reason}, {"owner", s.Interim.Owner}, {"review by", reviewText(s.Interim, a.Overdue(time.Now()))},
		{"login", s.Login.Kind + ": " + loginText(&s.Login)}, {"login also at", strings.Join(s.Login.Hosts, ", ")}, {"logout", stepsText(s.Login.Logout.Steps)}, {"pinned", strings.Join(s.Pin, ", ")},
		{"cookies held", strings.Join(s.Cookies.Hold, ", ") + " and all that are not passed"}, {"cookies passed", strings.Join(s.Cookies.Pass, ", ")}, {"cookies shared", strings.Join(s.Cookies.Share, ", ")},
		{"headers stripped", strings.Join(s.Headers.Strip, ", ")}, {"headers passed", strings.Join(s.Headers.Pass, ", ")},
		{"query stripped", strings.Join(s.Query.Strip, ", ")}, {"digest", a.Digest()}}
	if len(s.Hosts) == 0 {
		rows[1][1] = "none: extend it, and name yours"
		rows[5][1] = ""
	}
	rows = slices.DeleteFunc(rows, func(r []string) bool { return strings.TrimSpace(r[1]) == "" })
	if err := cli.Table(w, []string{"adapter", s.Name}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	var actions [][]string
	for _, action := range s.Actions {
		for i, path := range action.Match.Path { // one line a path: some actions have dozens
			row := []string{"", "", "", path, "", ""}
			if i == 0 {
				row = []string{action.Name, kindText(&action), anyText(action.Match.Method), path, cli.OrDash(action.Resource), cli.OrDash(conditionText(&action.Match))}
			}
			actions = append(actions, row)
		}
	}
	return cli.Table(w, []string{"ACTION", "GRANT", "METHOD", "PATH", "RESOURCE", "WHERE"}, actions)
}

// kindText says what it takes to be granted the action.
func kindText(a *adapters.ActionSpec) string {
	switch {
	case a.Login:
		return "never (login)"
	case a.Privileged:
		return "by name"
	}
	return "by name or *"
}

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

func anyText(list []string) string {
	if len(list) == 0 {
		return "any"
	}
	return strings.Join(list, " ")
}

// conditionText is what else must hold, in one line: name=pattern|pattern, - for absent.
func conditionText(m *adapters.MatchSpec) string {
	var all []string
	for _, group := range []struct {
		prefix string
		from   map[string]adapters.Strings
	}{{"query ", m.Query}, {"form ", m.Form}, {"", m.Param}, {"json ", m.JSON}, {"header ", m.Header}, {"xml ", m.XML}, {"argument ", m.GraphQL.Argument}} {
		for _, key := range slices.Sorted(maps.Keys(group.from)) {
			var values []string
			for _, v := range group.from[key] {
				values = append(values, cli.OrDash(v))
			}
			all = append(all, group.prefix+key+"="+strings.Join(values, "|"))
		}
	}
	if len(m.GraphQL.Field) > 0 {
		all = append(all, "graphql "+strings.Join(m.GraphQL.Type, "|")+" "+strings.Join(m.GraphQL.Field, "|"))
	}
	if len(m.ContentType) > 0 {
		all = append(all, "type "+strings.Join(m.ContentType, "|"))
	}
	if m.Only != nil {
		all = append(all, "else only: "+cli.OrDash(strings.Join(m.Only, " ")))
	}
	return strings.Join(all, ", ")
}
