package adapters

import (
	"fmt"
	"regexp"
	"strings"
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
		d.checkHistoryRead(fmt.Sprintf("log.read[%d]", i), r.Get, r.Next)
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
			if wrong := bareVariable.FindStringSubmatch(template); wrong != nil {
				d.at(key+".resource", "write ${"+wrong[1]+"}", "%s.resource: {%s} is the text itself in a template of log", key, wrong[1])
			} else if strings.Count(template, "${") > strings.Count(template, "}") {
				d.at(key+".resource", "write ${name}", "%s.resource: a ${ is not closed", key)
			}
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
