package adapters

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// checkSteps is about the steps of a login or a logout, in order. It adds what they let and take to names.
func (d *draft) checkSteps(key string, steps []StepSpec, names templateNames) {
	for i := range steps {
		d.checkStep(fmt.Sprintf("%s[%d]", key, i), &steps[i], names)
	}
}

func (d *draft) checkStep(key string, step *StepSpec, names templateNames) {
	target := d.checkMethod(key, step)
	for name, template := range step.Let {
		d.checkTemplateName(key+".let."+name, name)
		d.checkTemplate(key+".let."+name, template, names)
	}
	for name := range step.Let {
		names[name] = true
	}

	d.checkSelector(key+".hidden", step.Hidden)
	if step.Follow < 0 || step.Follow > maxHops {
		d.at(key+".follow", "", "follow is a number from 0 to %d", maxHops)
	}
	d.checkBody(key, step)

	d.checkTemplate(key, target, names)
	d.checkTemplate(key+".body", step.Body, names)
	for name, template := range step.Form {
		d.checkTemplate(key+".form."+name, template, names)
	}
	for name, template := range step.Headers {
		d.checkTemplate(key+".headers."+name, template, names)
	}
	d.checkJSON(key+".json", step.JSON, names)

	d.checkCondition(key+".success", step.Success)
	for name, take := range step.Take {
		d.checkTake(key+".take."+name, name, &take)
		names[name] = true
	}
}

// checkMethod returns the target of a step.
func (d *draft) checkMethod(key string, step *StepSpec) (target string) {
	methods := 0
	for _, t := range []string{step.Get, step.Post, step.Put, step.Delete} {
		if t != "" {
			target = t
			methods++
		}
	}

	if methods != 1 {
		d.at(key, "", "a step has exactly one of get, post, put and delete")
		return target
	}
	d.checkTarget(key, target)
	return target
}

// checkTarget is about where a step goes, as far as the file says it.
func (d *draft) checkTarget(key, target string) {
	switch {
	case strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//"), strings.HasPrefix(target, "${"):
		return
	case !strings.HasPrefix(target, "https://") && !strings.HasPrefix(target, "http://"):
		d.at(key, "a path, or an absolute URL at one of hosts or login.hosts", "the step's path %q does not start with /", target)
		return
	}

	_, rest, _ := strings.Cut(target, "://")
	host, _, _ := strings.Cut(rest, "/")
	if !namesItsHost(target, host) {
		d.at(key, "", "the step's URL %q does not say plainly at which host", target)
		return
	}
	a := Adapter{spec: d.spec}
	if len(d.spec.Hosts) > 0 && !a.serves(host) && !a.servesLogin(host) {
		d.at(key, "add it to login.hosts", "the step goes to %q, which is listed in neither hosts nor login.hosts", host)
	}
}

// namesItsHost reports whether an absolute target has a host without templates and without credentials. A target that
// is not a URL before its templates are filled in may be one after.
func namesItsHost(target, host string) bool {
	if strings.Contains(host, "${") {
		return false
	}
	u, err := url.Parse(target)
	if err != nil {
		return strings.Contains(target, "${")
	}
	return u.User == nil && u.Host != ""
}

func (d *draft) checkBody(key string, step *StepSpec) {
	bodies := 0
	for _, has := range []bool{step.Form != nil || step.Hidden != "", step.JSON != nil, step.Body != ""} {
		if has {
			bodies++
		}
	}
	if bodies > 1 {
		d.at(key, "", "a step has form (with hidden), json or body, not several of them")
	}
	if step.Get != "" && bodies > 0 {
		d.at(key, "use post", "a get step has no body")
	}
}

func (d *draft) checkTake(key, name string, t *Take) {
	d.checkTemplateName(key, name)

	places := 0
	for _, place := range []string{t.CSS, t.JSON, t.Header, t.Cookie, t.Regexp} {
		if place != "" {
			places++
		}
	}
	if places != 1 {
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
