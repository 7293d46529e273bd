package adapters

import "fmt"

// checkHistory finds what would keep byline reconcile from reading the history.
func (d *draft) checkHistory() {
	l := &d.spec.Log
	if len(l.Read) == 0 && l.Entry == (HistoryFields{}) && len(l.Kinds) == 0 {
		return
	}
	if l.Entry.Time == "" || l.Entry.User == "" {
		d.at("log.entry", "for example entry: {time: timestamp, user: user}", "log.entry must name the fields time and user")
	}
	if len(l.Kinds) == 0 {
		d.at("log", "for example kinds: [{when: {type: edit}, actions: [page.edit]}]", "log has no kinds, so no entry would be of interest")
	}
	known := map[string]bool{}
	for _, a := range d.spec.Actions {
		known[a.Name] = true
	}
	for i, k := range l.Kinds {
		for _, a := range k.Actions {
			if !known[a] {
				d.at(fmt.Sprintf("log.kinds[%d].actions", i), "name an action of this adapter", "log.kinds[%d]: there is no action %q", i, a)
			}
		}
		for field, patterns := range k.When {
			for _, text := range patterns {
				if err := checkHistoryPattern(text); err != nil {
					d.at(fmt.Sprintf("log.kinds[%d].when.%s", i, field), "", "log.kinds[%d].when: %v", i, err)
				}
			}
		}
	}
	for i, r := range l.Read {
		d.checkHistoryRead(fmt.Sprintf("log.read[%d]", i), r.Get, r.Next)
		if r.Each != (HistoryEach{}) {
			d.checkHistoryRead(fmt.Sprintf("log.read[%d].each", i), r.Each.Get, r.Each.Next)
		}
	}
}

func (d *draft) checkHistoryRead(at, get string, next HistoryNext) {
	if get == "" || get[0] != '/' {
		d.at(at+".get", "for example get: /api/history?since=${from|query}", "%s.get must be a path", at)
	}
	if next.JSON != "" && next.Param == "" {
		d.at(at+".next", "", "%s.next: json needs param", at)
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
