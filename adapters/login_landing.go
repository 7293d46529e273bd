package adapters

import (
	"net/url"
	"strings"
)

// landing returns the target of the page to which a finished login led: where its last answer redirects
// to, or the last page that it got. It returns "" if that is not a page at the host of the login.
func (d *Dialogue) landing() string {
	page := d.page
	if d.last == nil || page == "" {
		return ""
	}

	location := fieldValue(d.last.Fields, "Location")
	isRedirect := d.last.Status >= 300 && d.last.Status <= 399 && location != ""
	if !isRedirect && d.method != "GET" {
		return "" // an answer that a script got for its password is not a page
	}
	u, err := url.Parse(page)
	if err == nil && isRedirect {
		u, err = u.Parse(location)
	}
	if err != nil || u.Scheme != d.session.scheme || !strings.EqualFold(u.Host, d.session.authority) {
		return ""
	}
	return encodeTarget(u.RequestURI())
}

// LandingProbe returns a request for the page to which the session's login led. Its answer is judged by
// login.ended. With the session it shows whether the session works if the same request without one,
// which anonymous asks for, shows that it does not. It returns nil if the login led to no page.
func (a *Adapter) LandingProbe(s *Session, anonymous bool) *Probe {
	if s == nil || s.landing == "" {
		return nil
	}
	landing := s.landing
	if anonymous {
		s = &Session{sessionState: &sessionState{scheme: s.scheme, authority: s.authority, pins: s.pins}}
	}
	return a.newProbe(s, StepSpec{Get: escapeTemplate(landing)}, true)
}

// CheckProbe returns the request that login.logout.check describes, for a session that should work. It
// returns nil if the adapter has none.
func (a *Adapter) CheckProbe(s *Session) *Probe {
	if s == nil || a.spec.Login.Logout.Check == "" {
		return nil
	}
	return a.newProbe(s, StepSpec{Get: a.spec.Login.Logout.Check}, true)
}

// Page returns the path that the probe asks for, for the record, without the session's secrets.
func (p *Probe) Page() string {
	path, _, _ := strings.Cut(p.dialogue.path, ";")
	if m := p.dialogue.session.Mask(); m != nil {
		path = m.Text(path)
	}
	return path
}

// Status returns the status of the answer that Judge has seen.
func (p *Probe) Status() int { return p.reply.Status }

// escapeTemplate returns a template that expands to the text.
func escapeTemplate(s string) string { return strings.ReplaceAll(s, "${", "$${") }
