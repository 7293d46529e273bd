package adapters

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// Advise reports what is allowed in these files and seldom meant, sorted by file and line. A file with problems gets no
// advice: fix those first. What a file inherits is not advised about.
func Advise(own []Source) Problems {
	parents := parentsOf(own)

	var all Problems
	for _, src := range own {
		d := parse(src)
		ownActions := len(d.spec.Actions)
		d.inherit(parents)
		a := d.build(true)
		if a == nil {
			continue
		}

		d.adviseUpstream()
		d.adviseCookies()
		d.adviseLogin()
		d.adviseActions(d.spec.Actions[:ownActions])
		d.adviseBodies(d.spec.Actions[:ownActions])
		d.adviseWide(d.spec.Actions[:ownActions])
		d.adviseNames(a.rules, d.spec.Actions[:ownActions])
		d.adviseLogout(a, d.spec.Actions[:ownActions])
		all = append(all, d.found...)
	}
	all.sort()
	return all
}

func (d *draft) adviseUpstream() {
	address := d.spec.Upstream.URL
	if strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "http://127.0.0.1") {
		d.at("upstream.url", "", "passwords and sessions cross the network in the clear")
	}
}

func (d *draft) adviseCookies() {
	if !slices.Contains(d.spec.Cookies.Pass, "*") {
		return
	}
	what := "every cookie passes that cookies.hold does not list"
	if len(d.spec.Cookies.Hold) == 0 {
		what = "every cookie passes, the session's too"
	}
	d.at("cookies.pass", "name the harmless ones, or hold the session", "%s", what)
}

func (d *draft) adviseLogin() {
	if d.lines["login"] == 0 {
		return // inherited
	}
	l := &d.spec.Login
	if len(l.Ended) == 0 {
		d.at("login", "ended: [{redirect: \"*/login*\"}]", "the login does not say how the end of a session looks, so none is renewed")
	}

	kind, isRecipe := kinds[l.Kind].Kind.(recipe)
	if !isRecipe {
		return
	}
	if len(l.Logout.Steps) == 0 {
		d.at("login", "logout: {steps: [{get: /logout}]}", "there is no logout, so sessions outlive their task at the application")
	}
	if l.Identity.Get == "" {
		d.at("login", "identity: {get: /profile, css: \"#user-name\"}", "there is no identity: a page can make a session look over, "+
			"and nobody sees when a request makes it somebody else's, or when it outlives its logout")
	}
	if kind == pageRecipe && acceptsAnyPage(l) {
		d.at("login.success", "try a wrong password; cookie, not_body or redirect tell them apart", "success is the status 200 alone, with which many applications answer a wrong password")
	}
}

// adviseLogout is about an ordinary action that the request of the logout is, too. The steps before the last one ask for
// what that request needs.
func (d *draft) adviseLogout(adapter *Adapter, own []ActionSpec) {
	steps := d.spec.Login.Logout.Steps
	if len(steps) == 0 {
		return
	}
	last := &steps[len(steps)-1]
	method, target := last.Request()
	path, query, _ := strings.Cut(target, "?")
	isKnown := strings.HasPrefix(path, "/") && !strings.Contains(target, "${") && last.JSON == nil && last.Body == "" && last.Hidden == ""
	if !isKnown {
		return
	}

	q := Query{Method: method, Path: path, RawQuery: query}
	if len(last.Form) > 0 {
		form := url.Values{}
		for name, value := range last.Form {
			form.Set(name, value)
		}
		q.ContentType, q.Body = body.FormType, []byte(form.Encode())
	}
	action, _ := adapter.Classify(q)
	at := slices.IndexFunc(own, func(a ActionSpec) bool { return a.Name == action.Name })
	if action.Name == "" || action.Login || action.Privileged || at < 0 {
		return
	}
	d.at(fmt.Sprintf("actions[%d]", at), "an action with login: true before it, for that request",
		"action %q is also the logout %s %s, with which an agent ends the session that Byline keeps", action.Name, method, path)
}

// acceptsAnyPage reports whether the status 200 is all that tells a login from a refused one. It is enough after a last
// step that gets a page for which one must be logged in.
func acceptsAnyPage(l *LoginSpec) bool {
	last := &l.Steps[len(l.Steps)-1]
	if len(l.Steps) > 1 && last.Get != "" {
		return false
	}
	return slices.Contains(l.Success.Status, 200) && isStatusOnly(l.Success) &&
		(isStatusOnly(last.Success) || isEmptyCondition(last.Success))
}

func isStatusOnly(c Condition) bool {
	if len(c.Status) == 0 {
		return false
	}
	c.Status = nil
	return isEmptyCondition(c)
}

// takeoverWords are those in the paths of requests by which an account may be taken over.
var takeoverWords = regexp.MustCompile(`(?i)passw|token|two.?factor|2fa|mfa|otp|api.?key|secret|credential|invit|permission|impersonat|sudo`)

// adviseActions is about the file's own actions, which are the first ones.
func (d *draft) adviseActions(own []ActionSpec) {
	for i := range own {
		a := &own[i]
		if a.Privileged || a.Login {
			continue
		}

		key := fmt.Sprintf("actions[%d]", i)
		for _, path := range a.Match.Path {
			if name, separator := ambiguousVariable(path); name != "" {
				d.at(key, `where: {`+name+`: "[^`+separator+`]+"}`, "action %q: {%s} takes as little as possible, so a %q within it belongs to what follows", a.Name, name, separator)
			}
		}
		d.adviseMessages(key, a)
		if len(a.Match.Method) == 0 {
			d.at(key, "method: [GET, HEAD]", "action %q is every method, DELETE as well", a.Name)
		}
		for _, path := range a.Match.Path {
			if path == "/**" || path == "/{path...}" {
				d.at(key, "name what agents need", "action %q is every path that no action before it names", a.Name)
			}
			if word := takeoverWords.FindString(path); word != "" {
				d.at(key, "privileged: true, so that no wildcard grants it", "action %q has %q in its path: may it be how an account is taken over?", a.Name, word)
			}
		}
	}
}

// ambiguousVariables finds two variables in one segment with one separator between them.
var ambiguousVariables = regexp.MustCompile(`\{([a-z0-9_]+)\}([^{}*/\[\]\\^]+)\{`)

// ambiguousVariable returns the first variable of a path that shares its segment with another, so that the text between
// them may also be part of either, and that text.
func ambiguousVariable(path string) (name, separator string) {
	m := ambiguousVariables.FindStringSubmatch(path)
	if m == nil {
		return "", ""
	}
	return m[1], m[2]
}
