package adapters

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/css"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// checkLogin is about the login, in the order in which it takes place: templates may use what earlier steps took.
func (d *draft) checkLogin() {
	l := &d.spec.Login
	names := templateNames{}
	d.checkSteps("login.steps", l.Steps, names)
	if k, known := kinds[l.Kind]; known {
		k.Check(d)
	} else if d.lines["login"] == 0 {
		d.at("login", "login: {kind: form, …}", "the adapter has no login")
	}
	d.checkCondition("login.success", l.Success)

	for name, template := range l.Headers {
		d.checkTemplate("login.headers."+name, template, names)
	}
	d.checkTemplate("login.value", l.Value, names)
	for name, template := range l.Query {
		d.checkTemplate("login.query."+name, template, names)
	}
	d.checkMembers(names)

	d.checkLoginHosts()
	d.checkEnded()
	d.checkIdentity(names)
	d.checkSteps("login.logout.steps", l.Logout.Steps, names)
}

// checkMembers is about login.json.
func (d *draft) checkMembers(names templateNames) {
	l := &d.spec.Login
	if len(l.JSON) > 0 && !kinds[l.Kind].members {
		d.at("login.json", "", "login.json goes with the kinds %s, not with %q", strings.Join(kindsWithMembers(), ", "), l.Kind)
	}

	for pointer, template := range l.JSON {
		for name := range strings.SplitSeq(pointer, ".") {
			if name == "" || !utf8.ValidString(name) {
				d.at("login.json."+pointer, "names joined by dots, as in params.token; a number picks from a list", "%q leads to no member of a JSON body", pointer)
				break
			}
		}
		d.checkTemplate("login.json."+pointer, template, names)
	}
}

func (d *draft) checkLoginHosts() {
	for i, h := range d.spec.Login.Hosts {
		fault := hostFault(h)
		if fault == "" && strings.HasPrefix(h, "*") {
			fault = "a pattern is not allowed here"
		}
		if fault != "" {
			d.at(fmt.Sprintf("login.hosts[%d]", i), "an exact host", "host %q of the login: %s", h, fault)
		}
	}
}

func (d *draft) checkEnded() {
	for i, c := range d.spec.Login.Ended {
		key := fmt.Sprintf("login.ended[%d]", i)
		if isEmptyCondition(c) {
			d.at(key, "", "the condition is empty and would hold for every answer")
		}
		d.checkCondition(key, c)
	}
}

func (d *draft) checkCondition(key string, c Condition) {
	for _, status := range c.Status {
		if status < 100 || status > 999 {
			d.at(key+".status", "", "%d is not a status code", status)
		}
	}
	name, _, _ := strings.Cut(c.Header, ":")
	if c.Header != "" && !text.IsToken(name) {
		d.at(key+".header", "write Name or \"Name: pattern\"", "%q is not a header name", name)
	}
	d.checkSelector(key+".css", c.CSS)
}

func isEmptyCondition(c Condition) bool { return reflect.ValueOf(c).IsZero() }

func (d *draft) checkSelector(key, selector string) {
	if selector == "" {
		return
	}
	if _, err := css.Parse(selector); err != nil {
		d.at(key, "", "%s", err)
	}
}
