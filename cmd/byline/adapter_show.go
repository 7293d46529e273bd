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

		ValidArgsFunction: completeAdapters(""),

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

		whole := adapterInForce{a.Digest(), a.Spec(), adapters.BuiltIn()}
		return cli.Print(c, *asJSON, whole, func(w io.Writer) error { return showAdapter(w, a) })
	}
	return c
}

// adapterInForce is an adapter after extends, with the digest by which records name it.
type adapterInForce struct {
	Digest string `json:"digest"`
	adapters.Spec
	BuiltIn adapters.Lists `json:"built_in"` // lists by which every request is judged
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
		{"exceptions", exceptionsText(a.Exceptions())},
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
		{"subprotocols passed", strings.Join(s.Headers.Subprotocols, ", ")},
		{"query stripped", strings.Join(s.Query.Strip, ", ")},
		{"query passed", strings.Join(s.Query.Pass, ", ")},
		{"paths passed", strings.Join(s.Paths.Pass, ", ")},
		{"body passed", strings.Join(s.Body.Pass, ", ")},
		{"digest", a.Digest()},
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return strings.TrimSpace(row[1]) == "" })
	if err := cli.Table(w, []string{"adapter", s.Name}, rows); err != nil {
		return err
	}

	fmt.Fprintln(w)
	if err := cli.Table(w, []string{"ACTION", "GRANT", "METHOD", "PATH", "RESOURCE", "WHERE"}, actionRows(s.Actions)); err != nil {
		return err
	}

	fmt.Fprintln(w)
	return showBuiltIn(w)
}

// builtInWidth is the width of the lists that showBuiltIn writes, in columns.
const builtInWidth = 100

// showBuiltIn writes the lists by which every request is judged, whatever the adapter.
func showBuiltIn(w io.Writer) error {
	built := adapters.BuiltIn()
	var limited []string
	for _, name := range slices.Sorted(maps.Keys(built.Limited)) {
		limited = append(limited, name+" with "+built.Limited[name])
	}

	j := &built.Judge
	for _, list := range []struct {
		title string
		items []string
	}{
		{"Header fields that go on; every other one is held unless headers.pass names it", append(built.Headers, limited...)},
		{"Header fields that go on as a URL of the application without credentials", built.Destinations},
		{"Names in Sec-WebSocket-Protocol that go on; headers.subprotocols adds to them", built.Subprotocols},
		{"Header fields that are held even if headers.pass names them, unless method_override or match.header does", built.Rereading},
		{"Trailers that go on", built.Trailers},
		{"Names of credentials, without regard to case and separators: anywhere in a name", j.Anywhere},
		{"at the end of a name", j.Last},
		{"as a whole name or as its last word", j.Whole},
		{"unless the value is a number, PROJ or PROJ-123", j.Except},
		{"if the value looks like one", j.ByShape},
		{"No credentials, by name", j.Forgery},
		{"before token", j.HarmlessTokens},
		{"Values of credentials: what follows the name of a scheme", j.Schemes},
		{"what begins as a key does", j.KeyPrefixes},
		{"by structure", j.Structure},
	} {
		fmt.Fprintln(w, list.title+":")

		line := " "
		for _, item := range list.items {
			if len(line)+1+len(item) > builtInWidth {
				fmt.Fprintln(w, line)
				line = " "
			}
			line += " " + item
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// actionRows has a row for each path and each condition of an action, because some
// actions have dozens. Only the first row of an action has the other columns.
func actionRows(actions []adapters.ActionSpec) [][]string {
	var rows [][]string
	for _, action := range actions {
		paths := action.Match.Path
		conditions := conditionLines(&action.Match)
		first := len(rows)
		for i := range max(1, len(paths), len(conditions)) {
			rows = append(rows, []string{"", "", "", elementAt(paths, i), "", elementAt(conditions, i)})
		}

		rows[first][0] = action.Name
		rows[first][1] = grantText(&action)
		rows[first][2] = cmp.Or(strings.Join(action.Match.Method, " "), "any")
		rows[first][4] = cmp.Or(action.Resource, "-")
		rows[first][5] = cmp.Or(rows[first][5], "-")
	}
	return rows
}

// elementAt returns the element at index i, or "" if the list is shorter.
func elementAt(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
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
	case len(l.Query)+len(l.JSON) > 0:
		names := slices.Concat(slices.Sorted(maps.Keys(l.Query)), slices.Sorted(maps.Keys(l.JSON)))
		return "the parameters " + strings.Join(names, ", ")
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

// conditionLines lists what else must match, one condition a line:
// name=pattern|pattern, with - for a value that must be absent. Long lists of patterns
// go on in further lines.
func conditionLines(m *adapters.MatchSpec) []string {
	var lines []string
	add := func(name string, patterns []string) {
		lines = append(lines, wrapList(name, patterns, "|")...)
	}
	addMap := func(prefix string, conditions map[string]adapters.Strings) {
		for _, key := range slices.Sorted(maps.Keys(conditions)) {
			add(prefix+key+"=", conditions[key])
		}
	}

	addMap("query ", m.Query)
	addMap("form ", m.Form)
	addMap("", m.Param)
	addMap("json ", m.JSON)
	addMap("header ", m.Header)
	addMap("xml ", m.XML)
	addMap("argument ", m.GraphQL.Argument)
	if len(m.GraphQL.Field) > 0 {
		add("graphql "+strings.Join(m.GraphQL.Type, "|")+" ", m.GraphQL.Field)
	}
	if len(m.ContentType) > 0 {
		add("type ", m.ContentType)
	}
	if m.Only != nil {
		only := cmp.Or(strings.Join(m.Only, " "), "-")
		lines = append(lines, wrapList("else only: ", strings.Fields(only), " ")...)
	}
	return lines
}

// maxConditionWidth is the length from which a list of patterns goes on in a new line.
const maxConditionWidth = 60

// wrapList returns the name and the patterns, in several lines if they are long. An
// empty pattern is written as -.
func wrapList(name string, patterns []string, separator string) []string {
	var lines []string
	line := name
	for i, p := range patterns {
		if i > 0 {
			line += separator
			if len(line)+len(p) > maxConditionWidth {
				lines = append(lines, line)
				line = "  "
			}
		}
		line += cmp.Or(p, "-")
	}
	return append(lines, line)
}

// exceptionsText lists what the adapter allows and is refused by default.
func exceptionsText(all []adapters.Exception) string {
	var texts []string
	for _, e := range all {
		texts = append(texts, e.Key+" ("+e.Because+")")
	}
	return strings.Join(texts, "; ")
}
