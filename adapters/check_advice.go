package adapters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Advise says what is allowed in these files and seldom meant, by file and line. Files with problems get none: mend
// those first. Library adapters take part only through extends, and what is inherited is not advised about.
func Advise(own []Source) Problems {
	parents := map[string]*draft{}
	for _, src := range LibrarySources() {
		d := parse(src)
		parents[d.spec.Name] = d
	}
	var all Problems
	for _, src := range own {
		d := parse(src)
		written := len(d.spec.Actions)
		d.inherit(parents)
		if d.build(true) == nil {
			continue
		}
		d.adviseLogin()
		d.adviseActions(written)
		if slices.Contains(d.spec.Cookies.Pass, "*") && len(d.spec.Cookies.Hold) == 0 {
			d.at("cookies.pass", "name the harmless ones, or hold the session", "every cookie passes, the session's too")
		}
		if strings.HasPrefix(d.spec.Upstream.URL, "http://") && !strings.HasPrefix(d.spec.Upstream.URL, "http://127.0.0.1") {
			d.at("upstream.url", "", "passwords and sessions cross the network in the clear")
		}
		all = append(all, d.found...)
	}
	slices.SortStableFunc(all, cmpProblem)
	return all
}

func (d *draft) adviseLogin() {
	l := &d.spec.Login
	if d.lines["login"] == 0 {
		return
	}
	if len(l.Ended) == 0 {
		d.at("login", "ended: [{redirect: \"*/login*\"}]", "the login does not say how the end of a session looks, so none is renewed")
	}
	kind, ok := kinds[l.Kind].Kind.(recipe)
	if !ok {
		return
	}
	if len(l.Logout.Steps) == 0 {
		d.at("login", "logout: {steps: [{get: /logout}]}", "there is no logout, so sessions outlive their task at the application")
	}
	last := l.Steps[len(l.Steps)-1].Success
	if both := l.Success; slices.Contains(both.Status, 200) && onlyStatus(both) && (onlyStatus(last) || emptyCondition(last)) && kind == pageRecipe && !d.asksForAPage() {
		d.at("login.success", "try a wrong password; cookie, not_body or redirect tell them apart", "success is the status 200 alone, with which many applications answer a wrong password")
	}
}

// asksForAPage: the last step is a get after a post, so that its status says whether somebody is logged in.
func (d *draft) asksForAPage() bool {
	steps := d.spec.Login.Steps
	return len(steps) > 1 && steps[len(steps)-1].Get != ""
}

func onlyStatus(c Condition) bool {
	if len(c.Status) == 0 {
		return false
	}
	c.Status = nil
	return emptyCondition(c)
}

var keyWords = regexp.MustCompile(`(?i)passw|token|two.?factor|2fa|mfa|otp|api.?key|secret|credential|invit|permission|impersonat|sudo`)

// adviseActions looks at the first n, which are the file's own.
func (d *draft) adviseActions(n int) {
	for i := range d.spec.Actions[:n] {
		a := &d.spec.Actions[i]
		if a.Privileged || a.Login {
			continue
		}
		key := fmt.Sprintf("actions[%d]", i)
		if len(a.Match.Method) == 0 {
			d.at(key, "method: [GET, HEAD]", "action %q is every method, DELETE as well", a.Name)
		}
		for _, path := range a.Match.Path {
			if path == "/**" || path == "/{path...}" {
				d.at(key, "name what agents need", "action %q is every path that no action before it names", a.Name)
			}
			if word := keyWords.FindString(path); word != "" {
				d.at(key, "privileged: true, so that no wildcard grants it", "action %q has %q in its path: may it be how an account is taken over?", a.Name, word)
			}
		}
	}
}
