package adapters

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Holder says whose session an answer shows it to be.
type Holder int

const (
	HolderUnknown Holder = iota // the answer does not say, as an error of the application
	HolderNobody                // nobody is logged in
	HolderAccount               // the account that Byline logged in
	HolderOther                 // somebody else
)

// Probe is one request that asks the application whose a session is. The caller
// sends Step and gives the answer to Judge. It belongs to one goroutine and prints
// as REDACTED.
type Probe struct {
	redacted
	*probeState
}

// probeState is what a Probe hides behind a pointer; see redacted.
type probeState struct {
	dialogue *Dialogue
	byEnded  bool // whether somebody is logged in is decided by login.ended alone
	reply    *Reply
	shownAs  string // the account's name in the answer; "" unless it was judged HolderAccount by its name
}

// Probe returns the request that login.identity describes, with the session's
// cookies and headers. It returns nil if s is nil or the adapter has no identity.
func (a *Adapter) Probe(s *Session) *Probe {
	id := &a.spec.Login.Identity
	if s == nil || id.Get == "" {
		return nil
	}
	return a.newProbe(s, StepSpec{Get: id.Get, Headers: id.Headers}, false)
}

// LogoutProbe returns the request that shows whether a session still works after
// its logout: that of login.logout.check, otherwise that of login.identity. s is a
// copy of the session from before the logout. It returns nil if the adapter has
// neither.
func (a *Adapter) LogoutProbe(s *Session) *Probe {
	check := a.spec.Login.Logout.Check
	if s == nil || check == "" {
		return a.Probe(s)
	}
	return a.newProbe(s, StepSpec{Get: check}, true)
}

func (a *Adapter) newProbe(s *Session, step StepSpec, byEnded bool) *Probe {
	kind, ok := kinds[a.spec.Login.Kind].Kind.(recipe)
	if !ok {
		kind = pageRecipe
	}
	return &Probe{probeState: &probeState{byEnded: byEnded, dialogue: &Dialogue{dialogueState: &dialogueState{
		a:       a,
		kind:    kind,
		session: s,
		now:     time.Now,
		steps:   []StepSpec{step},
		taken:   s.taken,
	}}}}
}

// Step returns the request to send. The error names no value.
func (p *Probe) Step() (*Step, error) { return p.dialogue.Next(nil) }

// Judge says whose session the answer shows it to be.
func (p *Probe) Judge(r *Reply) Holder {
	p.reply = r
	a := p.dialogue.a
	switch {
	case (r.Status >= 500 || r.Status == http.StatusTooManyRequests) && !a.endsWithStatus(r):
		return HolderUnknown
	case a.Ended(r.Status, r.Fields, r.Body) || r.Status == http.StatusUnauthorized:
		return HolderNobody
	case p.byEnded:
		return HolderAccount
	case r.Status >= 300:
		return HolderNobody // also a redirect: probes follow none
	}

	names, err := readNames(&a.spec.Login.Identity, r)
	if err != nil || len(names) != 1 {
		return HolderNobody // a page with two names says of neither who is logged in
	}
	if !p.isAccount(names[0]) {
		return HolderOther
	}
	p.shownAs = names[0]
	return HolderAccount
}

// isAccount reports whether a page that shows the name means the account. Once a page has shown the
// account's name, that spelling counts; before, the case of letters does not.
func (p *Probe) isAccount(name string) bool {
	s := p.dialogue.session
	s.mu.Lock()
	shownAs := s.shownAs
	s.mu.Unlock()
	if shownAs != "" {
		return name == shownAs
	}

	want, err := p.dialogue.expandTemplate(p.dialogue.a.spec.Login.Identity.expected())
	return err == nil && want != "" && equalFoldPlainly(name, joinSpaces(want))
}

// OverByHead reports whether the answer, which Judge has seen, says without its body that nobody is
// logged in. What stands in a body may have been written by anybody.
func (p *Probe) OverByHead() bool {
	r := p.reply
	return r.Status == http.StatusUnauthorized || p.dialogue.a.Ended(r.Status, r.Fields, nil)
}

// Keep puts the cookies of the probe's answer, and the name that it shows, into a session. It is called once the
// answer has shown that the session is the account's: applications renew cookies
// with any answer.
func (p *Probe) Keep(s *Session) {
	if p.shownAs != "" {
		s.mu.Lock()
		s.shownAs = p.shownAs
		s.mu.Unlock()
	}
	d := p.dialogue
	d.a.keepCookies(s, p.reply.Fields, hostWithoutPort(d.authority), d.path, d.now())
}

// Copy returns a session with the same values, which later changes of s do not
// reach. It masks nothing.
func (s *Session) Copy() *Session {
	s.mu.Lock()
	shownAs := s.shownAs
	s.mu.Unlock()
	c := &Session{sessionState: &sessionState{
		scheme:    s.scheme,
		authority: s.authority,
		username:  s.username,
		headers:   s.headers,
		query:     s.query,
		members:   s.members,
		digest:    s.digest,
		pins:      s.pins,
		until:     s.until,
		taken:     s.taken,
		landing:   s.landing,
		shownAs:   shownAs,
	}}
	c.jar.Replace(slices.Clone(s.jar.Cookies()))
	return c
}

// Changed returns the session as an answer would make it, if the answer changes
// who it may belong to: it sets a cookie of the session to a new value, and
// login.identity.rotates does not name the action. m is what Put returned for the
// request. It returns nil otherwise, and always without login.identity.
func (a *Adapter) Changed(m Masker, fields []Field, action string) *Session {
	id := &a.spec.Login.Identity
	if id.Get == "" || m.session == nil {
		return nil
	}

	var changed *Session
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Set-Cookie") {
			continue
		}
		c, ok := cookie.ParseSet(fields[i].Value)
		if !ok || a.passesSetCookie(&c) {
			continue
		}
		h, ok := c.At(m.host, m.path, m.now)
		if !ok || !a.changesSession(m.session, h, m.now) {
			continue
		}
		if changed == nil {
			changed = m.session.Copy()
		}
	}
	if changed == nil || text.GlobAny(id.Rotates, action, nil) {
		return nil
	}

	a.keepCookies(changed, fields, m.host, m.path, m.now)
	return changed
}

// Accept puts the cookies of an answer that changes the session into the session,
// and then those of the probe's answer, which has shown that the session is the
// account's. It returns the fields without what the session took, for Shield. m is
// what Put returned for the request.
func (a *Adapter) Accept(m Masker, fields []Field, p *Probe) []Field {
	a.keepCookies(m.session, fields, m.host, m.path, m.now)
	p.Keep(m.session)

	return slices.DeleteFunc(slices.Clone(fields), func(f Field) bool {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			return false
		}
		c, ok := cookie.ParseSet(f.Value)
		return !ok || !a.passesSetCookie(&c)
	})
}

// changesSession reports whether a cookie that an answer sets may change whose the
// session is: it has a value that the jar does not have, and it is held by name or
// long enough for a session. cookies.mask does not matter: it says what pages may
// show. A cookie that is deleted takes somebody away and names nobody else, and
// one that is shared is no session.
func (a *Adapter) changesSession(s *Session, c cookie.Cookie, now time.Time) bool {
	if c.Value == "" || !c.Expires.IsZero() && !c.Expires.After(now) {
		return false
	}
	jar := s.jar.Cookies()
	if at := slices.IndexFunc(jar, c.Replaces); at >= 0 && jar[at].Value == c.Value {
		return false
	}

	success := a.spec.Login.Success.Cookie
	return text.GlobAny(a.spec.Cookies.Hold, c.Name, nil) ||
		success != "" && text.Glob(success, c.Name, nil) ||
		len(c.Value) >= minCookieSecret && !a.sharesCookie(c.Name)
}

// expected returns the template of the name that the page must show.
func (id *IdentitySpec) expected() string {
	if id.Is == "" {
		return "${username}"
	}
	return id.Is
}

// checkIdentity is about login.identity and login.logout.check. names are those
// that the login took.
func (d *draft) checkIdentity(names templateNames) {
	l := &d.spec.Login
	if check := l.Logout.Check; check != "" {
		d.checkTarget("login.logout.check", check)
		if len(l.Ended) == 0 {
			d.at("login.logout.check", "add login.ended", "the answer is judged by login.ended, which is missing")
		}
		if len(l.Logout.Steps) == 0 {
			d.at("login.logout.check", "add login.logout.steps", "there is no logout to check")
		}
	}

	id := &l.Identity
	if id.Get == "" {
		if take := id.take(); take != (Take{}) || id.Is != "" || len(id.Rotates) > 0 || len(id.Headers) > 0 {
			d.at("login.identity", "get: /profile", "identity names no page")
		}
		return
	}
	d.checkTarget("login.identity.get", id.Get)
	take := id.take()
	d.checkTake("login.identity", "identity", &take)

	known := templateNames{}
	for name := range names {
		known[name] = true
	}
	known["username"] = true
	check := func(key, template string) {
		d.checkTemplate(key, template, names)
		for _, m := range templateExpression.FindAllStringSubmatch(template, -1) {
			name, _, _ := strings.Cut(m[1], "|")
			if name = strings.TrimSpace(name); m[0] != "$${" && name != "" && !known[name] {
				d.at(key, "use ${username}, or what a step of the login takes", "${%s} is not kept after the login", name)
			}
		}
	}
	check("login.identity.get", id.Get)
	check("login.identity.is", id.Is)
	for name, template := range id.Headers {
		check("login.identity.headers."+name, template)
	}
}

// errNobody and errOther are why a login failed whose session is not the
// account's.
var (
	errNobody = errors.New("login.identity: the page does not show that the account is logged in")
	errOther  = errors.New("login.identity: the page names somebody else than the account")
)

// Err returns why a login that ended in a session of that holder failed, and nil
// for HolderAccount.
func (h Holder) Err() error {
	switch h {
	case HolderAccount:
		return nil
	case HolderNobody:
		return errNobody
	case HolderOther:
		return errOther
	}
	return errors.New("login.identity: the application did not say who is logged in")
}
