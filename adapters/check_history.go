package adapters

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// bareVariable finds a variable as match writes it, which templates of log do not know.
var bareVariable = regexp.MustCompile(`(?:^|[^$])\{([a-z0-9_]+)[|}]`)

// checkHistory reports what would keep byline reconcile from reading the application's own history.
func (d *draft) checkHistory() {
	l := &d.spec.Log
	if len(l.Read) == 0 && l.Entry == (HistoryFields{}) && len(l.Kinds) == 0 {
		return
	}

	if l.Entry.Time == "" || l.Entry.User == "" {
		d.at("log.entry", "for example entry: {time: timestamp, user: user}", "log.entry must name the fields time and user")
	}
	d.checkHistoryKinds()
	for i := range l.Read {
		r := &l.Read[i]
		key := fmt.Sprintf("log.read[%d]", i)
		d.checkHistoryRead(key, r.Get, r.Next)
		d.checkHistoryTemplate(key+".get", r.Get)
		if _, err := r.SamplePath(time.Unix(0, 0), time.Unix(1, 0)); err != nil && bareVariable.FindString(r.Get) == "" {
			d.at(key+".get", "", "%s.get: %s", key, err)
		}
		if r.Each != (HistoryEach{}) {
			d.checkHistoryRead(fmt.Sprintf("log.read[%d].each", i), r.Each.Get, r.Each.Next)
		}
	}
}

func (d *draft) checkHistoryKinds() {
	l := &d.spec.Log
	if len(l.Kinds) == 0 {
		d.at("log", "for example kinds: [{when: {type: edit}, actions: [page.edit]}]", "log has no kinds, so no entry would be of interest")
	}

	known := map[string]bool{}
	for i := range d.spec.Actions {
		known[d.spec.Actions[i].Name] = true
		for _, m := range d.spec.Actions[i].Messages {
			known[m.Name] = true
		}
	}
	for i, k := range l.Kinds {
		key := fmt.Sprintf("log.kinds[%d]", i)
		for _, name := range k.Actions {
			if !known[name] {
				d.at(key+".actions", "name an action of this adapter", "%s: there is no action %q", key, name)
			}
		}
		for _, template := range k.Resource {
			d.checkHistoryTemplate(key+".resource", template)
		}
		for field, patterns := range k.When {
			for _, p := range patterns {
				if err := checkHistoryPattern(p); err != nil {
					d.at(key+".when."+field, "", "%s.when: %v", key, err)
				}
			}
		}
	}
}

func (d *draft) checkHistoryRead(key, get string, next HistoryNext) {
	if get == "" || get[0] != '/' {
		d.at(key+".get", "for example get: /api/history?since=${from|query}", "%s.get must be a path", key)
	}
	if next.JSON != "" && next.Param == "" {
		d.at(key+".next", "", "%s.next: json needs param", key)
	}
}

// checkHistoryTemplate is about a template over fields of an item.
func (d *draft) checkHistoryTemplate(key, template string) {
	if wrong := bareVariable.FindStringSubmatch(template); wrong != nil {
		d.at(key, "write ${"+wrong[1]+"}", "%s: {%s} is the text itself in a template of log", key, wrong[1])
		return
	}
	if strings.Count(template, "${") > strings.Count(template, "}") {
		d.at(key, "write ${name}", "%s: a ${ is not closed", key)
		return
	}
	if _, err := expandTemplate(template, func(string) (string, error) { return "x", nil }); err != nil && !strings.HasSuffix(key, ".get") {
		d.at(key, "", "%s: %s", key, err)
	}
}

func checkHistoryPattern(text string) error {
	var vars variables
	if _, err := compilePattern(text, &vars, false); err != nil {
		return err
	}
	if len(vars) > maxVariables {
		return fmt.Errorf("pattern %q has more than %d variables", text, maxVariables)
	}
	return nil
}
