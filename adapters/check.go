package adapters

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// check finds what the shape of the file cannot show. own: the adapter is to be used, not only inherited from.
func (d *draft) check(own bool) {
	s := &d.spec
	if s.Name == "" {
		d.at("name", "for example name: wiki", "the adapter has no name")
	} else if strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		d.at("name", "lower case letters, digits and hyphens", "name %q is not a name", s.Name)
	}
	d.checkChoices(reflect.ValueOf(s).Elem(), "")
	if own {
		d.checkPlace()
	}
	d.checkUpstream()
	d.checkLogin()
	d.checkActions()
	d.checkLog()
	for _, list := range []struct {
		key   string
		names []string
	}{{"pin", s.Pin}, {"headers.strip", s.Headers.Strip}, {"headers.pass", s.Headers.Pass}} {
		for i, name := range list.names {
			if !headerName(name) {
				d.at(fmt.Sprintf("%s[%d]", list.key, i), "", "%q is not a header name", name)
			}
		}
	}
}

// checkPlace is about hosts and interim, which only an adapter in use must have.
func (d *draft) checkPlace() {
	s := &d.spec
	if len(s.Hosts) == 0 {
		d.at("hosts", "for example hosts: [wiki.acme.example]", "the adapter has no hosts")
	}
	seen := map[string]bool{}
	for i, h := range s.Hosts {
		key := fmt.Sprintf("hosts[%d]", i)
		if wrong := checkHost(h); wrong != "" {
			d.at(key, "", "host %q: %s", h, wrong)
		} else if seen[strings.ToLower(h)] {
			d.at(key, "", "host %q is listed twice", h)
		}
		seen[strings.ToLower(h)] = true
	}
	if d.lines["interim"] == 0 {
		d.at("interim", "interim: {reason: …, owner: …, review_by: 2027-06-30}", "the adapter does not say why it exists: interim is missing")
		return
	}
	for _, f := range []struct{ key, value string }{{"reason", s.Interim.Reason}, {"owner", s.Interim.Owner}} {
		if d.lines["interim."+f.key] > 0 && strings.TrimSpace(f.value) == "" {
			d.at("interim."+f.key, "", "interim.%s is empty", f.key)
		}
	}
	if _, err := time.Parse(time.DateOnly, s.Interim.ReviewBy); err != nil && d.lines["interim.review_by"] > 0 {
		d.at("interim.review_by", "YYYY-MM-DD", "interim.review_by %q is not a day", s.Interim.ReviewBy)
	}
	if len(s.Actions) == 0 {
		d.at("actions", "name at least one", "the adapter names no action, so every request would be refused")
	}
}

// checkChoices walks the structs for the values that a field may have.
func (d *draft) checkChoices(v reflect.Value, path string) {
	for i, key := range keysOf(v.Type()) {
		at, f := join(path, key), v.Field(i)
		if f.Kind() == reflect.Struct {
			d.checkChoices(f, at)
		}
		choices := v.Type().Field(i).Tag.Get("one")
		if choices == "" || f.String() == "" {
			continue
		}
		known := strings.Split(choices, "|")
		if !slices.Contains(known, f.String()) {
			slices.Sort(known)
			d.at(at, "known: "+strings.Join(known, ", "), "unknown %s %q", at, f.String())
		}
	}
}

func (d *draft) checkUpstream() {
	u := d.spec.Upstream
	if u.URL != "" {
		parsed, err := url.Parse(u.URL)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || strings.Trim(parsed.Path, "/") != "" || parsed.User != nil {
			d.at("upstream.url", "scheme://host:port, as in https://10.0.0.7:8443", "upstream.url %q is not an address to connect to", u.URL)
		}
	}
	if (u.ClientCert == "") != (u.ClientKey == "") {
		d.at("upstream", "", "upstream.client_cert and upstream.client_key go together")
	}
}

// builtIn are the variables that every template may use; a secret's other fields are allowed by name as well.
var builtIn = []string{"username", "password", "totp", "totp_seed", "token", "client_id", "client_secret", "refresh_token", "api_key"}

var templateVar = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)

// checkTemplate reports variables that nothing gives. taken: what earlier steps took.
func (d *draft) checkTemplate(key, text string, taken map[string]bool) {
	for _, m := range templateVar.FindAllStringSubmatch(text, -1) {
		if m[0] == "$${" {
			continue
		}
		name, _, _ := strings.Cut(m[1], "|")
		name = strings.TrimSpace(name)
		if !strings.HasSuffix(m[0], "}") || name == "" {
			d.at(key, "", "%q has a ${ without a name and }", text)
		} else if !taken[name] && !slices.Contains(builtIn, name) {
			known := slices.Sorted(maps.Keys(taken))
			d.at(key, nearest(name, append(known, builtIn...)), "${%s} is taken by no earlier step and is no field of a secret", name)
		}
	}
}

func (d *draft) checkLogin() {
	l := &d.spec.Login
	taken := map[string]bool{}
	posts := d.checkSteps("login.steps", l.Steps, taken)
	switch l.Kind {
	case "":
		if d.lines["login"] == 0 {
			d.at("login", "login: {kind: form, …}", "the adapter has no login")
		}
	case "form", "json":
		if len(l.Steps) == 0 {
			d.at("login", "login.steps: [{post: …}]", "login kind %q has no steps", l.Kind)
		}
		if n := len(l.Steps); posts && emptyCondition(l.Success) && emptyCondition(l.Steps[n-1].Success) {
			d.at("login", "for example success: {status: [302], cookie: \"*UserID\"}", "the login posts a password but has no success condition, so a refused login would pass for one")
		}
	case "header":
		if !headerName(l.Header) || l.Value == "" {
			d.at("login", "header: X-Auth-Token, value: \"${token}\"", "login kind \"header\" needs header and value")
		}
	case "oauth2":
		if l.TokenURL == "" {
			d.at("login", "token_url: /oauth/token", "login kind \"oauth2\" needs token_url")
		}
	}
	for name, value := range l.Headers {
		d.checkTemplate("login.headers."+name, value, taken)
	}
	d.checkTemplate("login.value", l.Value, taken)
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
	if name, _, _ := strings.Cut(c.Header, ":"); c.Header != "" && !headerName(name) {
		d.at(key+".header", "write Name or \"Name: pattern\"", "%q is not a header name", name)
	}
}

func (d *draft) checkSteps(key string, steps []StepSpec, taken map[string]bool) (posts bool) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", key, i)
		target, verbs := "", 0
		for _, v := range []string{step.Get, step.Post, step.Put} {
			if v != "" {
				target, verbs = v, verbs+1
			}
		}
		switch {
		case verbs != 1:
			d.at(at, "", "a step has exactly one of get, post and put")
		case !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "${"):
			d.at(at, "", "the step's path %q does not start with /", target)
		}
		posts = posts || step.Post != "" || step.Put != ""
		if step.Form != nil && step.JSON != nil {
			d.at(at, "", "a step has form or json, not both")
		}
		if step.Get != "" && (step.Form != nil || step.JSON != nil) {
			d.at(at, "use post", "a get step has no body")
		}
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
	return posts
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
	if !variableName(name) {
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
	if t.Attr != "" && t.CSS == "" {
		d.at(key+".attr", "", "attr goes with css")
	}
	if _, err := regexp.Compile(t.Regexp); err != nil {
		d.at(key+".regexp", "", "not a regular expression: %s", err)
	}
}

func emptyCondition(c Condition) bool { return reflect.ValueOf(c).IsZero() }

// headerName is RFC 9110 section 5.1: a token.
func headerName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
