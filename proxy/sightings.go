package proxy

import (
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

// sightings remembers the borrowed credentials that a task has sent: an agent
// sends the same cookie with every request, through every tunnel.
type sightings struct {
	mu   sync.Mutex
	seen map[string]sighting // by the credential's value
}

// sighting is one of them.
type sighting struct {
	audit.Stripped
	name      string // as the agent wrote it, from which Name was made
	isSession bool   // it is known to be a session, so the alert is on record

	judged adapters.Knowledge // by which it is not known to be one
}

// forget forgets all of them.
func (s *sightings) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
}

// find returns what is known of a value.
func (s *sightings) find(value string) (known sighting, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok = s.seen[value]
	return known, ok
}

func (s *sightings) remember(value string, known sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= maxSightings {
		s.seen = map[string]sighting{}
	}
	s.seen[value] = known
}

const (
	maxSightings = 64  // remembered of one task; beyond that all are forgotten
	maxAlerts    = 100 // recorded of one task: an agent can make up any number of credentials
)

// sightings returns those of the tunnel's task. A tunnel without a task remembers
// nothing.
func (t *tunnel) sightings() *sightings {
	if t.task == nil {
		return new(sightings)
	}
	return &t.task.sightings
}

// appendStripped appends borrowed credentials to dst as the record names them: by
// keyed fingerprints, which are the same for the same value and from which nobody
// without the key can find it. The first time that this task sends sessions, an
// alert is recorded before the request that carried them.
func (x *exchange) appendStripped(dst []audit.Stripped, all []adapters.Borrowed) []audit.Stripped {
	if len(all) == 0 {
		return dst
	}

	s := x.tunnel.sightings()
	var sessions []audit.Stripped // that are new
	for i := range all {
		b := &all[i]
		value := b.Value.Reveal()
		known, ok := s.find(value)
		isChanged := !ok
		isSame := ok && known.In == b.In && known.name == b.Name
		if ok {
			known.In = b.In
			if known.name != b.Name {
				known.name, known.Name = b.Name, x.maskName(b.Name)
			}
		} else {
			known.name = b.Name
			known.Stripped = audit.Stripped{In: b.In, Name: x.maskName(b.Name), Fingerprint: audit.Fingerprint(x.server.printKey, value), Person: b.Person()}
		}

		// What was not known to be a session may be known since a login.
		if !known.isSession {
			names, session := x.sessionKnowledge()
			knowledge := names.Knowledge(session)
			if !isSame || knowledge != known.judged {
				known.judged = knowledge
				known.isSession = x.isSession(b, names, session)
				if known.isSession {
					sessions = append(sessions, known.Stripped)
				}
				isChanged = true
			}
		}
		if isChanged {
			s.remember(value, known)
		}
		dst = append(dst, known.Stripped)
	}
	x.alertAboutSessions(sessions)
	return dst
}

// isSession reports whether a borrowed credential is one by which the application
// knows a person.
func (x *exchange) isSession(b *adapters.Borrowed, names *adapters.CookieNames, session *adapters.Session) bool {
	if x.adapter == nil {
		return b.Session && b.Value.Reveal() != ""
	}
	return x.adapter.IsSession(b, names, session)
}

// sessionKnowledge returns the names of the cookies that logins have set, and the
// newest session of the task, nil if there is none.
func (x *exchange) sessionKnowledge() (*adapters.CookieNames, *adapters.Session) {
	if x.adapter == nil {
		return &noCookieNames, nil
	}

	session := x.session
	if session == nil && x.tunnel.task != nil {
		if h, ok := x.tunnel.task.holds.Load(x.adapter.Name()); ok {
			session = h.(*hold).last.Load()
		}
	}
	return x.server.loginCookies(x.adapter.Name()), session
}

// noCookieNames are those of requests to no application that is known.
var noCookieNames adapters.CookieNames

// loginCookies returns the names of the cookies that logins of an adapter have set.
func (s *Server) loginCookies(adapter string) *adapters.CookieNames {
	known, ok := s.cookieNames.Load(adapter)
	if !ok {
		known, _ = s.cookieNames.LoadOrStore(adapter, new(adapters.CookieNames))
	}
	return known.(*adapters.CookieNames)
}

// alertAboutSessions records the first sight of borrowed sessions, and the first with
// each further agent: those of one request together. If the state store cannot tell
// whether it is the first, it records one for the task.
func (x *exchange) alertAboutSessions(sessions []audit.Stripped) {
	t := x.tunnel.task
	if t == nil || len(sessions) == 0 {
		return // there is nobody to name, or nothing to say
	}

	agent := audit.Fingerprint(x.server.printKey, t.Principal().Agent)
	var seen, shared []audit.Stripped
	for _, s := range sessions {
		newWithAgent, err := x.server.state.FirstSight(s.Fingerprint + " " + agent)
		if err == nil && !newWithAgent {
			continue
		}
		first, err := x.server.state.FirstSight(s.Fingerprint)
		if err == nil && !first {
			shared = append(shared, s)
		} else {
			seen = append(seen, s)
		}
	}
	x.alert(BorrowedSeen, "a borrowed session was seen for the first time", seen)
	x.alert(BorrowedShared, "a borrowed session that another agent had carried was seen with this one", shared)
}

// alert records an alert about borrowed sessions.
func (x *exchange) alert(code Code, detail string, sessions []audit.Stripped) {
	t := x.tunnel.task
	if len(sessions) == 0 || t.alerts.Add(1) > maxAlerts {
		return
	}

	r := x.server.taskRecord("alert", t)
	r.Host = x.tunnel.authority
	r.Stripped = sessions
	r.Code, r.Detail = string(code), detail
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}

	x.server.metrics.alerts.WithLabelValues(r.Adapter, r.Code).Inc()
	for _, s := range sessions {
		x.server.opt.Log.Warn().Str("task", r.Task).Str("agent", r.Agent).Str("host", r.Host).Str("name", s.Name).
			Str("fingerprint", s.Fingerprint).Str("code", r.Code).Msg("borrowed session")
	}
	x.server.log.Append(r)
}
