package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Harden reports where an adapter could be narrower, and what of an older adapter no longer does anything, sorted by file
// and line. Not every adapter can follow all of it. Like Advise it is about a file's own keys and actions, and about
// files without problems.
func Harden(own []Source) Problems {
	parents := parentsOf(own)

	var all Problems
	for _, src := range own {
		d := parse(src)
		ownActions := len(d.spec.Actions)
		headers, query, cookies := d.spec.Headers, d.spec.Query, d.spec.Cookies
		isChild := d.spec.Extends != ""
		d.inherit(parents)
		a := d.build(true)
		if a == nil {
			continue
		}

		if isChild {
			d.spec.Headers, d.spec.Query = headers, query
		} else {
			d.spec.Cookies = cookies
			d.adviseSessionCookie()
		}
		d.adviseOlder()
		d.checkReach(ownActions, a.rules.all[len(a.rules.all)-len(d.spec.Actions):])
		for i := range ownActions {
			if own := &d.spec.Actions[i]; !own.Login && !own.Privileged {
				d.adviseSecurity(fmt.Sprintf("actions[%d]", i), own)
			}
		}
		all = append(all, d.found...)
	}
	all.sort()
	return all
}

// checkCookies reports cookies of the session that would pass between the agent and the application.
func (d *draft) checkCookies() {
	c := &d.spec.Cookies
	for _, cookie := range sessionCookiesOf(&d.spec.Login) {
		example := strings.ReplaceAll(cookie, "*", "x")
		isHeld := text.GlobAny(c.Hold, example, text.FoldParam)
		isWide := slices.Contains(c.Pass, "*") // Advise speaks of it, and the cookie is held anyway
		if text.GlobAny(c.Share, example, nil) && !isHeld {
			d.at("cookies.share", "leave it out: an agent would get the session itself", "cookies.share shows agents the cookie %q, which login.success names as the session", cookie)
		}
		if text.GlobAny(c.Pass, example, text.Fold) && !isHeld && !isWide {
			d.at("cookies.pass", "leave it out: an agent could send a person's own", "cookies.pass lets the cookie %q through, which login.success names as the session", cookie)
		}
	}
}

// sessionCookiesOf are the patterns of the cookies by which a login is known to have succeeded.
func sessionCookiesOf(l *LoginSpec) []string {
	var all []string
	if l.Success.Cookie != "" {
		all = append(all, l.Success.Cookie)
	}
	for i := range l.Steps {
		if cookie := l.Steps[i].Success.Cookie; cookie != "" {
			all = append(all, cookie)
		}
	}
	return all
}

// checkStripped reports conditions on parameters that are removed from the query, or for which a body is refused: the
// application does not see what the action was decided by.
func (d *draft) checkStripped(key string, a *ActionSpec) {
	if a.Login {
		return
	}
	adapter := &Adapter{spec: d.spec}
	for _, place := range []struct {
		name       string
		conditions map[string]Strings
		inQuery    bool
		inBody     bool
	}{
		{"query", a.Match.Query, true, false}, {"param", a.Match.Param, true, mayHaveBody(a)}, {"form", a.Match.Form, false, true}, {"json", a.Match.JSON, false, true},
		{"xml", a.Match.XML, false, true}, {"graphql.argument", a.Match.GraphQL.Argument, false, true},
	} {
		for _, name := range slices.Sorted(maps.Keys(place.conditions)) {
			example, mayBe := exampleOf(place.conditions[name])
			if !mayBe {
				continue
			}
			leaf := strings.TrimPrefix(name[strings.LastIndexByte(name, '.')+1:], "@")
			_, isReplaced := d.spec.Login.JSON[name]
			isRefused := credential.Pair(leaf, example).IsCredential() && !text.GlobAny(d.spec.Body.Pass, leaf, nil) && !a.Verbatim && !isReplaced
			at := key + ".match." + place.name + "." + name
			switch {
			case place.inQuery && adapter.isCredentialParam(name, example):
				d.at(at, "query.pass lets it through by name", "action %q is decided by the parameter %s, which is removed from queries as a credential", a.Name, name)
			case place.inBody && !place.inQuery && isRefused:
				d.at(at, "body.pass lets it through by name", "action %q is decided by the field %s, with which a body is refused as holding a credential", a.Name, name)
			}
		}
	}
}

// exampleOf returns a value that fits one of the patterns, and false if only an absent one does.
func exampleOf(patterns Strings) (example string, isThere bool) {
	for _, p := range patterns {
		if p == "" {
			continue
		}
		if !strings.ContainsAny(p, "*{") {
			return p, true
		}
		if strings.HasSuffix(p, ":digits}") && strings.HasPrefix(p, "{") {
			return "7", true
		}
		isThere = true
	}
	return "x", isThere
}

// adviseSecurity is about one action that an agent may be granted.
func (d *draft) adviseSecurity(key string, a *ActionSpec) {
	m := &a.Match
	if !mayHaveBody(a) {
		return
	}

	isClosed := m.Only != nil || len(m.Keys)+len(m.XML)+len(m.GraphQL.Field) > 0 // what else it may hold is known, or has no names
	if !isClosed && !a.Verbatim && !a.Safe && takesFields(m.Method) {
		d.at(key, "only: [the fields that it has besides]", "action %q writes and has no only: one more field may turn it into something else", a.Name)
	}
	takesPost := len(m.Method) == 0 || slices.Contains(m.Method, "POST")
	for _, name := range slices.Sorted(maps.Keys(m.Query)) {
		if takesPost && m.Form[name] == nil && (m.Only == nil || slices.Contains(m.Only, name)) {
			d.at(key+".match.query."+name, "param: {"+name+": …}", "action %q goes by %s in the query, over which a field of the form wins in many applications", a.Name, name)
		}
	}
	if word, place := managementWord(m); word != "" {
		d.at(key, "privileged: true, so that no wildcard grants it", "action %q writes %s with %q: may it be how people and their rights are managed?", a.Name, place, word)
	}
	if m.Only != nil {
		for _, name := range m.Only {
			if _, isReplaced := d.spec.Login.JSON[name]; isReplaced {
				continue // by the session
			}
			if slices.ContainsFunc(loginFieldsOf(&d.spec.Login), func(field string) bool { return sameParam(field, name) }) && !text.GlobAny(d.spec.Body.Pass, name, nil) {
				d.at(key+".match.only", "body.pass lets it through by name", "action %q lists the field %s, with which a request is refused as a login", a.Name, name)
				continue
			}
			if !strings.ContainsAny(name, "*{") && credential.Pair(name, "x").IsCredential() && !text.GlobAny(d.spec.Body.Pass, name, nil) {
				d.at(key+".match.only", "body.pass lets it through by name", "action %q lists the field %s, with which a body is refused as holding a credential", a.Name, name)
			}
		}
	}
}

// adviseSessionCookie is about an adapter of which no cookie is known to be the session.
func (d *draft) adviseSessionCookie() {
	_, isRecipe := kinds[d.spec.Login.Kind].Kind.(recipe)
	if isRecipe && len(d.spec.Cookies.Hold) == 0 && len(sessionCookiesOf(&d.spec.Login)) == 0 && len(d.spec.Login.Headers) == 0 && len(d.spec.Login.JSON) == 0 {
		d.at("login", "cookies: {hold: [the cookies of the session]}", "no cookie is known to be the session, so a borrowed one is removed but not reported: name them in cookies.hold or in login.success.cookie")
	}
}

// adviseOlder tells the author of an older adapter what no longer does anything, and what now passes by another key.
func (d *draft) adviseOlder() {
	h := &d.spec.Headers
	for i, name := range h.Strip {
		if !allowedFields[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] {
			d.at(fmt.Sprintf("headers.strip[%d]", i), "leave it out", "the header %s is held without headers.strip: only headers of the built-in list and of headers.pass go on (byline adapter show prints the list)", name)
		}
	}
	adapter := &Adapter{spec: d.spec}
	for i, name := range h.Pass {
		switch lower := strings.ToLower(strings.ReplaceAll(name, "_", "-")); {
		case !adapter.mayForward(name):
			d.at(fmt.Sprintf("headers.pass[%d]", i), "say what it means: method_override.header, or match.header", "the header %s is held although headers.pass names it: applications read another request by it than was decided on", name)
		case namesCredential(name) && !signatureFields[lower]:
			d.at(fmt.Sprintf("headers.pass[%d]", i), "leave it out, unless the application means something else by it", "the header %s has the name of a credential or of who is asking, and goes on whatever an agent puts into it", name)
		}
		if allowedFields[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] {
			d.at(fmt.Sprintf("headers.pass[%d]", i), "leave it out, unless it carries what looks like a credential", "the header %s goes on without headers.pass", name)
		}
	}
	for i, name := range d.spec.Query.Pass {
		if !strings.Contains(name, "*") && !credential.Name(name).IsCredential() {
			d.at(fmt.Sprintf("query.pass[%d]", i), "", "the parameter %s is not taken for a credential by its name; query.pass also lets any value of it through", name)
		}
	}
}
