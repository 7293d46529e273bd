package adapters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// adviseWide is about keys that let more through than is seldom meant, and about conditions that never hold.
func (d *draft) adviseWide(own []ActionSpec) {
	for _, list := range []struct {
		key      string
		patterns []string
		what     string
	}{
		{"query.pass", d.spec.Query.Pass, "no parameter of the query is removed as a credential"},
		{"body.pass", d.spec.Body.Pass, "no body is refused for a credential"},
		{"paths.pass", d.spec.Paths.Pass, "no path is refused for a credential"},
	} {
		for i, pattern := range list.patterns {
			if strings.Trim(pattern, "*/") == "" && strings.Contains(pattern, "*") {
				d.at(fmt.Sprintf("%s[%d]", list.key, i), "name what the application means", "with %q %s", pattern, list.what)
			}
		}
	}
	for i, name := range d.spec.Headers.Pass {
		if strings.Contains(name, "*") {
			d.at(fmt.Sprintf("headers.pass[%d]", i), "name each header", "%q is no pattern: headers.pass takes names of headers", name)
		}
	}

	if d.lines["login"] != 0 {
		d.adviseEnds()
	}
	for i := range own {
		d.adviseNeverHolds(fmt.Sprintf("actions[%d]", i), &own[i])
	}
	if d.lines["log"] != 0 {
		d.adviseHistory()
	}
}

// adviseEnds is about conditions that hold for pages of people who are logged in, and about rotations that are not asked
// about.
func (d *draft) adviseEnds() {
	for i, c := range d.spec.Login.Ended {
		isOfPages := isStatusOnly(c) && slices.ContainsFunc(c.Status, func(status int) bool { return status < 300 })
		if isOfPages || isAnyRedirect(c) {
			d.at(fmt.Sprintf("login.ended[%d]", i), "say what only the end of a session shows: redirect, css, json", "a page that has nothing to do with the end of a session fits this as well")
		}
	}

	for _, pattern := range d.spec.Login.Identity.Rotates {
		isAction := func(a ActionSpec) bool { return text.Glob(pattern, a.Name, nil) }
		switch {
		case strings.Trim(pattern, "*") == "":
			d.at("login.identity.rotates", "name the actions", "with %q nobody sees when a request makes the session somebody else's", pattern)
		case !slices.ContainsFunc(d.spec.Actions, isAction):
			d.at("login.identity.rotates", "name actions of this adapter", "there is no action %q", pattern)
		}
	}
}

func isAnyRedirect(c Condition) bool {
	if c.Redirect == "" || strings.Trim(c.Redirect, "*/") != "" {
		return false
	}
	c.Redirect, c.Status = "", nil
	return isEmptyCondition(c)
}

// escapedPath finds what no decoded path has.
var escapedPath = regexp.MustCompile(`\?|%[0-9A-Fa-f]{2}`)

// adviseNeverHolds is about conditions of an action that no request fulfills, and about one that should not be safe.
func (d *draft) adviseNeverHolds(key string, a *ActionSpec) {
	m := &a.Match
	kinds := 0
	for _, isThere := range []bool{len(m.Form) > 0, len(m.JSON)+len(m.Keys) > 0 || !m.GraphQL.isEmpty(), len(m.XML) > 0} {
		if isThere {
			kinds++
		}
	}
	if kinds > 1 {
		d.at(key, "write one action for each", "action %q never matches: no body is a form, JSON and XML at once", a.Name)
	}
	for _, path := range m.Path {
		if found := escapedPath.FindString(path); found != "" {
			d.at(key, "write the path as it is when decoded, and parameters in query", "action %q never matches: %q in a path stands for itself", a.Name, found)
		}
	}
	if a.Safe && slices.Contains(m.Method, "DELETE") {
		d.at(key, "leave safe out", "action %q is safe and deletes: it may be sent twice", a.Name)
	}

	readsJSON := ""
	for i := range a.Messages {
		message := &a.Messages[i]
		if len(message.Match.Text) > 0 && readsJSON != "" && !slices.ContainsFunc(message.Match.Text, mayFitJSON) {
			d.at(fmt.Sprintf("%s.messages[%d]", key, i), "put it first", "message %q can never be reached: it is not JSON, and no rule after %q is tried for such a message", message.Name, readsJSON)
		}
		if len(message.Match.JSON) > 0 && len(message.Match.Prefix) == 0 && readsJSON == "" {
			readsJSON = message.Name
		}
	}
}

// mayFitJSON reports whether a text that fits a pattern may be JSON.
func mayFitJSON(pattern string) bool {
	return pattern == "" || strings.ContainsAny(pattern[:1], `{["*-0123456789`) || slices.Contains([]string{"true", "false", "null"}, pattern)
}

// adviseHistory is about kinds of the log that no action can have caused, because its resource begins otherwise.
func (d *draft) adviseHistory() {
	for i := range d.spec.Log.Kinds {
		k := &d.spec.Log.Kinds[i]
		mayCause := func(action string) bool { return d.mayCause(action, k.Resource) }
		if len(k.Resource) > 0 && !slices.ContainsFunc(k.Actions, mayCause) {
			d.at(fmt.Sprintf("log.kinds[%d].resource", i), "write it as the action does", "no entry of this kind fits: the resource of %q begins otherwise", strings.Join(k.Actions, ", "))
		}
	}
}

// mayCause reports whether an action of that name may have one of the resources, as far as the text at their beginning says.
func (d *draft) mayCause(name string, resources []string) bool {
	isAction := false
	for i := range d.spec.Actions {
		a := &d.spec.Actions[i]
		if a.Name != name {
			continue
		}
		isAction = true
		own, _, _ := strings.Cut(a.Resource, "{")
		for _, resource := range resources {
			other, _, _ := strings.Cut(resource, "${")
			if strings.HasPrefix(own, other) || strings.HasPrefix(other, own) {
				return true
			}
		}
	}
	return !isAction // the name of a message
}
