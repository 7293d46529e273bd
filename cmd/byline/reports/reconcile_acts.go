package reports

import (
	"slices"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

// span is a time during which Byline may have asked an application for a page.
type span struct {
	from, to time.Time
	record   string
	epoch    int
}

// openAct is a request whose outcome has not been read.
type openAct struct {
	act       *Act // nil for one that leaves no entry
	principal string
	began     time.Time
	record    string
	epoch     int
}

// ReadRecords collects the requests, logins and logouts that may have caused an entry.
// The records must be those of the period and of a day after it. It may be called again
// after the history was read, which adds entries itself if Byline reads it.
func (r *Reconciler) ReadRecords(records Records) error {
	r.acts, r.index, r.steps, r.lastTime, r.spans = nil, map[actKey][]*Act{}, nil, time.Time{}, map[string][]span{}
	open := map[string]openAct{} // by id of the intent
	r.shared = sharedStrings{}
	defer func() { r.shared = nil }()
	for rec, err := range records {
		if err != nil {
			return err
		}
		r.noteClock(&rec)
		if rec.Adapter != r.adapter.Name() {
			continue
		}

		switch rec.Kind {
		case "intent", "login", "logout":
			if !r.isNear(rec.At()) {
				continue
			}
			r.names.add(rec.Account, nil)
			open[rec.ID] = r.addAct(&rec)

		case "outcome":
			o, known := open[rec.Intent]
			if !known {
				continue
			}
			delete(open, rec.Intent)
			r.endAct(&o, &rec)
		}
	}
	for _, o := range open {
		r.addSpan(&o, o.began.Add(unknownEnd))
	}

	r.addProbes()
	r.indexActs()
	return nil
}

// sharedStrings holds one copy of each string, so that a million acts of a few agents
// and accounts do not hold a million copies of their names.
type sharedStrings map[string]string

// get returns the copy of s that the others use.
func (m sharedStrings) get(s string) string {
	if shared, ok := m[s]; ok {
		return shared
	}
	m[s] = s
	return s
}

// noteClock notes that our clock was set back.
func (r *Reconciler) noteClock(rec *audit.Record) {
	if rec.Kind == audit.KindClock && !r.lastTime.IsZero() {
		r.steps = append(r.steps, r.lastTime.Sub(rec.At()))
	}
	r.lastTime = rec.At()
}

// isNear reports whether something may have an entry that is looked at.
func (r *Reconciler) isNear(t time.Time) bool {
	p := r.result.Period
	return !t.Before(p.From.Add(-maxZone-time.Hour)) && !t.After(p.To.Add(maxZone+time.Hour))
}

// addAct adds a request, a login or a logout.
func (r *Reconciler) addAct(rec *audit.Record) openAct {
	action := rec.Action
	switch rec.Kind {
	case "login":
		action = adapters.ActionLogin
	case "logout":
		action = adapters.ActionLogout
	}
	o := openAct{principal: r.names.principalOf(rec.Account), began: rec.At(), record: rec.ID, epoch: len(r.steps)}
	if !r.kinds.logged[action] || rec.Kind == "intent" && !r.adapter.Writes(action, rec.Method) {
		return o
	}

	o.act = &Act{
		Record:    rec.ID,
		Task:      r.shared.get(rec.Task),
		Agent:     r.shared.get(rec.Agent),
		Sponsor:   r.shared.get(rec.Sponsor),
		Grant:     r.shared.get(rec.Grant),
		Account:   r.shared.get(rec.Account),
		Action:    r.shared.get(action),
		Resource:  r.shared.get(rec.Resource),
		Method:    r.shared.get(rec.Method),
		Began:     rec.At(),
		Ended:     rec.At().Add(unknownEnd),
		sometimes: r.kinds.sometimes[action],
		number:    len(r.acts),
		epoch:     o.epoch,
		principal: o.principal,
	}
	r.acts = append(r.acts, o.act)
	return o
}

// endAct adds how an act ended. The time is by the clock by which it began: the clock may
// have gone back in between.
func (r *Reconciler) endAct(o *openAct, outcome *audit.Record) {
	ended := outcome.At()
	if ended.Before(o.began) {
		ended = o.began.Add(time.Duration(outcome.DurationUS) * time.Microsecond)
	}
	r.addSpan(o, ended)
	if o.act == nil {
		return
	}

	o.act.Ended = ended
	o.act.Status = outcome.Status
	o.act.failed = outcome.Status >= 400 || isOwnAction(o.act.Action) && outcome.Code != ""
}

// addSpan notes that Byline may have asked for a page during an act.
func (r *Reconciler) addSpan(o *openAct, ended time.Time) {
	if r.kinds.logged[adapters.ActionProbe] {
		r.spans[o.principal] = append(r.spans[o.principal], span{o.began, ended, o.record, o.epoch})
	}
}

// addProbes makes the spans acts. Spans that overlap are one: any number of entries may
// come from them.
func (r *Reconciler) addProbes() {
	for principal, spans := range r.spans {
		slices.SortFunc(spans, func(x, y span) int { return x.from.Compare(y.from) })
		var last *Act
		for _, s := range spans {
			if last != nil && last.epoch == s.epoch && !s.from.After(last.Ended) {
				if s.to.After(last.Ended) {
					last.Ended = s.to
				}
				continue
			}
			last = &Act{
				Record: s.record, Account: principal, Action: adapters.ActionProbe, Began: s.from, Ended: s.to,
				sometimes: true, number: len(r.acts), epoch: s.epoch, principal: principal,
			}
			r.acts = append(r.acts, last)
		}
	}
	r.spans = nil
}

// indexActs makes the acts findable by what their entries have in common with them.
func (r *Reconciler) indexActs() {
	for _, a := range r.acts {
		all := actKey{a.principal, a.Action, ""}
		r.index[all] = append(r.index[all], a)
		if resource := normalizeName(a.Resource); resource != "" && !isOwnAction(a.Action) {
			one := actKey{a.principal, a.Action, resource}
			r.index[one] = append(r.index[one], a)
		}
	}
	for _, acts := range r.index { // in the order of the log, which differs after the clock went back
		slices.SortStableFunc(acts, func(x, y *Act) int { return x.Began.Compare(y.Began) })
	}
}
