package adapters

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// bareVariable finds a variable as match writes it, which templates of log do not know.
var bareVariable = regexp.MustCompile(`(?:^|[^$])\{([a-z0-9_]+)[|}]`)

// checkHistory reports what would keep byline reconcile from reading the application's own history.
func (d *draft) checkHistory() {
	l := &d.spec.Log
	if reflect.ValueOf(l).Elem().IsZero() {
		return
	}

	if l.Entry.Time == "" || l.Entry.User == "" {
		d.at("log.entry", "for example entry: {time: timestamp, user: user}", "log.entry must name the fields time and user")
	}
	d.checkHistoryTemplate("log.entry.time", l.Entry.Time)
	d.checkHistoryEntry()
	d.checkHistoryLines()
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

// checkHistoryEntry is about the names and times of entries.
func (d *draft) checkHistoryEntry() {
	e := &d.spec.Log.Entry
	for _, p := range e.UserIs {
		var vars variables
		if _, err := compilePattern(p, &vars, false); err != nil {
			d.at("log.entry.user_is", "", "log.entry.user_is: %v", err)
		} else if len(vars) != 1 || vars[0] != "user" {
			d.at("log.entry.user_is", `for example 'CORP\{user}'`, "log.entry.user_is: the pattern %q must have {user} once, and no other variable", p)
		}
	}
	if _, err := parseZone(e.Zone); err != nil {
		d.at("log.entry.zone", "for example Europe/Berlin or +02:00", "log.entry.zone: %s", err)
	}
}

// checkHistoryLines is about logs that are text.
func (d *draft) checkHistoryLines() {
	l := &d.spec.Log
	for _, line := range l.Line {
		re, err := regexp.Compile(line)
		if err != nil {
			d.at("log.line", "", "log.line: %v", err)
			continue
		}
		isField := l.Entry.Time != "" && !strings.Contains(l.Entry.Time, "${")
		if re.NumSubexp() == 0 || isField && re.SubexpIndex(l.Entry.Time) < 0 {
			d.at("log.line", "write a part in parentheses that begins with ?P<name>, like (?P<time>\\S+)",
				"log.line: the expression has no group %q, which log.entry.time names", l.Entry.Time)
		}
	}
	if _, err := regexp.Compile(l.Continued); err != nil {
		d.at("log.continued", "", "log.continued: %v", err)
	}
	if l.Continued != "" && len(l.Line) == 0 {
		d.at("log.continued", "write log.line", "log.continued is for logs that log.line reads")
	}
}

// checkHistoryIgnore is about items that are left out.
func (d *draft) checkHistoryIgnore() {
	for i, when := range d.spec.Log.Ignore {
		key := fmt.Sprintf("log.ignore[%d]", i)
		if len(when) == 0 {
			d.at(key, "name a field, for example {type: view}", "%s: an empty entry would leave out everything", key)
		}
		d.checkHistoryWhen(key, when)
	}
}

// checkHistoryWhen is about patterns by field. prefix is their key.
func (d *draft) checkHistoryWhen(prefix string, when map[string]Strings) {
	for field, patterns := range when {
		for _, p := range patterns {
			if err := checkHistoryPattern(p); err != nil {
				d.at(prefix+"."+field, "", "%s: %v", prefix, err)
			}
		}
	}
}

func (d *draft) checkHistoryKinds() {
	l := &d.spec.Log
	if len(l.Kinds) == 0 {
		d.at("log", "for example kinds: [{when: {type: edit}, actions: [page.edit]}]", "log has no kinds, so no entry would be of interest")
	}

	known := map[string]bool{ActionLogin: true, ActionLogout: true, ActionProbe: true}
	for i := range d.spec.Actions {
		if name := d.spec.Actions[i].Name; known[name] && strings.HasPrefix(name, "byline.") {
			d.at(fmt.Sprintf("actions[%d].name", i), "", "the action %s is Byline's own in log.kinds", name)
		}
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
		if k.AtMost < 0 {
			d.at(key+".at_most", "for example at_most: 1", "%s.at_most must be a number above 0", key)
		}
		d.checkHistoryWhen(key+".when", k.When)
	}
	d.checkHistoryIgnore()
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
