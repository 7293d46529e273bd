package adapters

import (
	"fmt"
	"slices"
	"strings"
)

// Change is what Byline does with the requests of an adapter that earlier versions did not do.
type Change struct {
	Topic string // one word
	What  string // a sentence or two, which name what of the adapter is concerned
	Hint  string // the keys that change it; may be empty
}

// AdapterChanges are the changes for one adapter.
type AdapterChanges struct {
	File, Adapter string
	Changes       []Change
}

// ChangesFor tells the authors of adapters what concerns an adapter that was written for an earlier version: what is
// held, removed, refused and rewritten that used to pass. Files with problems have no changes.
func ChangesFor(own []Source) []AdapterChanges {
	parents := parentsOf(own)

	var all []AdapterChanges
	for _, src := range own {
		d := parse(src)
		d.inherit(parents)
		a := d.build(true)
		if a == nil {
			continue
		}
		c := changeFinder{a: a}
		for _, find := range []func() (Change, bool){c.headers, c.cookies, c.query, c.bodies, c.credentials, c.logins, c.sockets, c.identity, c.history} {
			if change, isThere := find(); isThere {
				c.found = append(c.found, change)
			}
		}
		all = append(all, AdapterChanges{File: d.file, Adapter: a.Name(), Changes: c.found})
	}
	return all
}

// commonFields are request fields that clients and programs often send, besides those of every browser.
var commonFields = []string{
	"X-Requested-With", "X-CSRF-Token", "Destination", "If-Match", "Prefer", "SOAPAction", "Last-Event-ID", "Idempotency-Key",
	"X-Request-Id", "X-Correlation-Id", "Traceparent", "X-Forwarded-For", "X-HTTP-Method-Override", "X-Api-Key", "X-Pjax", "X-Inertia", "HX-Request", "Turbo-Frame", "OCS-APIRequest", "GraphQL-Require-Preflight", "X-GitHub-Api-Version", "X-Client-Version",
}

// changeFinder looks at one adapter.
type changeFinder struct {
	a     *Adapter
	found []Change
}

func (c *changeFinder) headers() (Change, bool) {
	var pass, held []string
	for _, name := range commonFields {
		if c.a.mayForward(name) {
			pass = append(pass, name)
		} else {
			held = append(held, name)
		}
	}
	also := ""
	if names := c.a.spec.Headers.Pass; len(names) > 0 {
		also = " and of headers.pass (" + strings.Join(names, ", ") + ")"
	}
	return Change{"headers", fmt.Sprintf("only fields of the built-in list%s go on, every other one is held. Of those that clients often send, these pass: %s; these are held: %s.",
		also, strings.Join(pass, ", "), strings.Join(held, ", ")), "headers.pass; byline adapter show prints the list"}, true
}

func (c *changeFinder) cookies() (Change, bool) {
	s := &c.a.spec.Cookies
	passed := slices.Concat(s.Pass, s.Share)
	if len(passed) == 0 {
		passed = []string{"none"}
	}
	what := fmt.Sprintf("a cookie that is not named stays in the proxy, and the agent's own is removed. Named: %s.", strings.Join(passed, ", "))
	return Change{"cookies", what + c.maskedCookies(), "cookies.pass, cookies.share, cookies.mask"}, true
}

// maskedCookies tells which held cookies become asterisks where an answer shows their values.
func (c *changeFinder) maskedCookies() string {
	s := &c.a.spec.Cookies
	if s.Mask != nil {
		if len(s.Mask) == 0 {
			return " No value of a held cookie is masked in answers."
		}
		return " In answers the values of these held cookies are masked, and of no others: " + strings.Join(s.Mask, ", ") + "."
	}

	always := slices.Clone(s.Hold)
	if name := c.a.spec.Login.Success.Cookie; name != "" && !slices.Contains(always, name) {
		always = append(always, name)
	}
	always = slices.DeleteFunc(always, func(name string) bool { return name == "*" })
	what := " In answers, asterisks stand for the values of held cookies that have at least 8 bytes: of "
	if len(always) > 0 {
		what += "each one named " + strings.Join(always, ", ") + ", of "
	}
	return what + "each one whose name speaks of a session (sess, sid, auth, token, jwt, remember, login), and of each other one unless its value is a word, a path, " +
		"a time zone, a date or a small number. If a link or a form breaks, the log says at debug level which cookie was masked."
}

func (c *changeFinder) query() (Change, bool) {
	what := "a parameter with the name or the value of a credential is removed from the query; a token or a key in the path refuses the request (credential_in_path)."
	if names := c.a.spec.Query.Pass; len(names) > 0 {
		what += " These pass: " + strings.Join(names, ", ") + "."
	}
	return Change{"query", what, "query.pass, paths.pass"}, true
}

func (c *changeFinder) bodies() (Change, bool) {
	var read, verbatim []string
	for i := range c.a.spec.Actions {
		action := &c.a.spec.Actions[i]
		switch name := bodyCondition(&action.Match); {
		case action.Verbatim:
			verbatim = appendName(verbatim, action.Name)
		case name != "" && name != "content_type" && mayHaveBody(action) && !action.Login:
			read = appendName(read, action.Name)
		}
	}
	if len(read)+len(verbatim) == 0 && !c.writes() {
		return Change{}, false
	}

	what := "forms, JSON and XML that are read go out in Byline's own spelling: multipart forms with another boundary, Content-Type without further parameters. What can be read in two ways is refused (ambiguous_request)."
	if len(read) > 0 {
		what += " Decided by their bodies: " + listNames(read) + "."
	}
	if len(verbatim) > 0 {
		what += " Sent as they came: " + listNames(verbatim) + "."
	}
	return Change{"bodies", what, "verbatim: true for bodies that the agent's program signs"}, true
}

func (c *changeFinder) credentials() (Change, bool) {
	if !c.writes() {
		return Change{}, false
	}
	what := "a body with a credential, by the name of a field or by its value, is refused (credential_in_body)."
	if names := c.a.spec.Body.Pass; len(names) > 0 {
		what += " These pass: " + strings.Join(names, ", ") + "."
	}
	return Change{"credentials", what, "body.pass"}, true
}

func (c *changeFinder) logins() (Change, bool) {
	var what []string
	if len(c.a.loginFields) > 0 {
		what = append(what, "a request with a field of the login ("+strings.Join(c.a.loginFields, ", ")+") is refused at every path and by every method (login_by_agent).")
	}
	var paths []string
	for _, r := range c.a.rules.all[:len(c.a.rules.all)-len(c.a.spec.Actions)] {
		for i := range r.paths[:min(len(r.paths), 1)] {
			paths = appendName(paths, r.paths[i].literal)
		}
	}
	if len(paths) > 0 {
		what = append(what, "So is every POST, PUT and PATCH to "+strings.Join(paths, ", ")+", unless an action with login: true says which of them log in.")
	}
	return Change{"logins", strings.Join(what, " "), ""}, len(what) > 0
}

func (c *changeFinder) sockets() (Change, bool) {
	var opened []string
	for i := range c.a.spec.Actions {
		if c.a.spec.Actions[i].WebSocket {
			opened = appendName(opened, c.a.spec.Actions[i].Name)
		}
	}
	what := "no action opens one, so every request for one is refused (websocket_not_named)."
	if len(opened) > 0 {
		what = "only these actions open one: " + listNames(opened) + ". Messages with credentials are refused, and compression is not negotiated."
	}
	return Change{"websockets", what, "websocket: true, messages"}, true
}

func (c *changeFinder) identity() (Change, bool) {
	_, isRecipe := kinds[c.a.spec.Login.Kind].Kind.(recipe)
	if !isRecipe || c.a.spec.Login.Identity.Get != "" {
		return Change{}, false
	}
	return Change{"identity", "nothing says whose a session is, so a session that a request makes somebody else's is not noticed, and a page that looks like the end of a session is believed.", "login.identity"}, true
}

// writes reports whether an action may have a body that is judged.
func (c *changeFinder) writes() bool {
	return slices.ContainsFunc(c.a.spec.Actions, func(a ActionSpec) bool { return !a.Login && !a.Verbatim && mayHaveBody(&a) })
}

func mayHaveBody(a *ActionSpec) bool {
	isBodiless := func(method string) bool { return method == "GET" || method == "HEAD" || method == "OPTIONS" }
	return len(a.Match.Method) == 0 || slices.ContainsFunc(a.Match.Method, func(m string) bool { return !isBodiless(m) })
}

func appendName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// maxListed bounds how many names a sentence lists.
const maxListed = 8

func listNames(names []string) string {
	if len(names) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}
