package adapters

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/css"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// builtIn are the variables that every template may use; a secret's other fields are allowed by name as well.
var builtIn = []string{"username", "password", "totp", "totp_seed", "token", "client_id", "client_secret", "refresh_token", "api_key"}

var templateVar = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)

// checkTemplate reports variables that nothing gives. taken: what earlier steps took.
func (d *draft) checkTemplate(key, template string, taken map[string]bool) {
	for _, m := range templateVar.FindAllStringSubmatch(template, -1) {
		if m[0] == "$${" {
			continue
		}
		name, chain, _ := strings.Cut(m[1], "|")
		name = strings.TrimSpace(name)
		for f := range strings.SplitSeq(chain, "|") {
			if f = strings.TrimSpace(f); f != "" && filters[f] == nil {
				d.at(key, text.Nearest(f, slices.Collect(maps.Keys(filters))), "there is no filter %q", f)
			}
		}
		if !strings.HasSuffix(m[0], "}") || name == "" {
			d.at(key, "", "%q has a ${ without a name and }", template)
		} else if !taken[name] && !slices.Contains(builtIn, name) {
			known := slices.Sorted(maps.Keys(taken))
			d.at(key, text.Nearest(name, append(known, builtIn...)), "${%s} is taken by no earlier step and is no field of a secret", name)
		}
	}
}

func (d *draft) checkLogin() {
	l := &d.spec.Login
	taken := map[string]bool{}
	d.checkSteps("login.steps", l.Steps, taken)
	if k, known := kinds[l.Kind]; known {
		k.Check(d)
	} else if d.lines["login"] == 0 {
		d.at("login", "login: {kind: form, …}", "the adapter has no login")
	}
	for name, value := range l.Headers {
		d.checkTemplate("login.headers."+name, value, taken)
	}
	d.checkTemplate("login.value", l.Value, taken)
	for name, value := range l.Query {
		d.checkTemplate("login.query."+name, value, taken)
	}
	d.checkMembers(taken)
	for i, h := range l.Hosts {
		if wrong := checkHost(h); wrong != "" || strings.HasPrefix(h, "*") {
			d.at(fmt.Sprintf("login.hosts[%d]", i), "an exact host", "host %q of the login: %s", h, orText(wrong, "no pattern may stand here"))
		}
	}
	d.checkCondition("login.success", l.Success)
	for i, c := range l.Ended {
		if emptyCondition(c) {
			d.at(fmt.Sprintf("login.ended[%d]", i), "", "the condition is empty and would hold for every answer")
		}
		d.checkCondition(fmt.Sprintf("login.ended[%d]", i), c)
	}
	d.checkSteps("login.logout.steps", l.Logout.Steps, taken)
}

func (d *draft) checkCondition(key string, c Condition) {
	for _, status := range c.Status {
		if status < 100 || status > 599 {
			d.at(key+".status", "", "%d is not a status code", status)
		}
	}
	if name, _, _ := strings.Cut(c.Header, ":"); c.Header != "" && !text.IsToken(name) {
		d.at(key+".header", "write Name or \"Name: pattern\"", "%q is not a header name", name)
	}
	d.checkSelector(key+".css", c.CSS)
}

func (d *draft) checkSteps(key string, steps []StepSpec, taken map[string]bool) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", key, i)
		target, verbs := "", 0
		for _, v := range []string{step.Get, step.Post, step.Put, step.Delete} {
			if v != "" {
				target, verbs = v, verbs+1
			}
		}
		if verbs != 1 {
			d.at(at, "", "a step has exactly one of get, post, put and delete")
		} else {
			d.checkTarget(at, target)
		}
		for name, text := range step.Let {
			if !isVariableName(name) {
				d.at(at+".let."+name, "lower case letters, digits and _", "%q is not a name for a template", name)
			}
			d.checkTemplate(at+".let."+name, text, taken)
		}
		for name := range step.Let {
			taken[name] = true
		}
		d.checkSelector(at+".hidden", step.Hidden)
		if step.Follow < 0 || step.Follow > maxHops {
			d.at(at+".follow", "", "follow is a number from 0 to %d", maxHops)
		}
		bodies := 0
		for _, has := range []bool{step.Form != nil || step.Hidden != "", step.JSON != nil, step.Body != ""} {
			if has {
				bodies++
			}
		}
		if bodies > 1 {
			d.at(at, "", "a step has form (with hidden), json or body, not several of them")
		}
		if step.Get != "" && bodies > 0 {
			d.at(at, "use post", "a get step has no body")
		}
		d.checkTemplate(at+".body", step.Body, taken)
		d.checkTemplate(at, target, taken)
		for name, text := range step.Form {
			d.checkTemplate(at+".form."+name, text, taken)
		}
		for name, text := range step.Headers {
			d.checkTemplate(at+".headers."+name, text, taken)
		}
		d.checkJSON(at+".json", step.JSON, taken)
		d.checkCondition(at+".success", step.Success)
		for name, take := range step.Take {
			d.checkTake(at+".take."+name, name, take)
			taken[name] = true
		}
	}
}

// checkTarget is about where a step goes, as far as the file says it.
func (d *draft) checkTarget(at, target string) {
	switch {
	case strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//"), strings.HasPrefix(target, "${"):
		return
	case !strings.HasPrefix(target, "https://") && !strings.HasPrefix(target, "http://"):
		d.at(at, "a path, or an absolute URL at one of hosts or login.hosts", "the step's path %q does not start with /", target)
		return
	}
	_, rest, _ := strings.Cut(target, "://")
	host, _, _ := strings.Cut(rest, "/")
	if u, err := url.Parse(target); err != nil && !strings.Contains(target, "${") || u != nil && (u.User != nil || u.Host == "") || strings.Contains(host, "${") {
		d.at(at, "", "the step's URL %q does not say plainly at which host", target)
		return
	}
	a := Adapter{spec: d.spec}
	if len(d.spec.Hosts) > 0 && !a.serves(host) && !slices.ContainsFunc(d.spec.Login.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		d.at(at, "add it to login.hosts", "the step goes to %q, which neither hosts nor login.hosts names", host)
	}
}

func (d *draft) checkSelector(key, selector string) {
	if selector == "" {
		return
	}
	if _, err := css.Parse(selector); err != nil {
		d.at(key, "", "%s", err)
	}
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (d *draft) checkJSON(key string, v any, taken map[string]bool) {
	switch v := v.(type) {
	case string:
		d.checkTemplate(key, v, taken)
	case map[string]any:
		for name, x := range v {
			d.checkJSON(key+"."+name, x, taken)
		}
	case []any:
		for i, x := range v {
			d.checkJSON(fmt.Sprintf("%s[%d]", key, i), x, taken)
		}
	}
}

func (d *draft) checkTake(key, name string, t Take) {
	if !isVariableName(name) {
		d.at(key, "lower case letters, digits and _", "%q is not a name for a template", name)
	}
	ways := 0
	for _, way := range []string{t.CSS, t.JSON, t.Header, t.Cookie, t.Regexp} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 {
		d.at(key, "", "take has exactly one of css, json, header, cookie and regexp")
	}
	d.checkSelector(key+".css", t.CSS)
	if t.Attr != "" && t.CSS == "" {
		d.at(key+".attr", "", "attr goes with css")
	}
	if _, err := regexp.Compile(t.Regexp); err != nil {
		d.at(key+".regexp", "", "not a regular expression: %s", err)
	}
}

func emptyCondition(c Condition) bool { return reflect.ValueOf(c).IsZero() }

// checkMembers is about login.json.
func (d *draft) checkMembers(taken map[string]bool) {
	l := &d.spec.Login
	if len(l.JSON) > 0 && !kinds[l.Kind].members {
		d.at("login.json", "", "login.json goes with the kinds %s, not with %q", strings.Join(kindsWithMembers(), ", "), l.Kind)
	}
	for pointer, value := range l.JSON {
		for name := range strings.SplitSeq(pointer, ".") {
			if name == "" || !utf8.ValidString(name) {
				d.at("login.json."+pointer, "names joined by dots, as in params.token; a number picks from a list", "%q leads to no member of a JSON body", pointer)
				break
			}
		}
		d.checkTemplate("login.json."+pointer, value, taken)
	}
}
