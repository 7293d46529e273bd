package adapters

import (
	"net/url"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// addBrowserFields adds the header fields that a browser would send with a step: pinned headers, the
// cookies so far, and Origin, Referer and Sec-Fetch-Site, which applications check against request
// forgery. A field that the step sets itself is kept. It also records where the request goes, for
// the cookies of its answer and for the next step.
func (d *Dialogue) addBrowserFields(step *Step) {
	s := d.session
	d.method = step.Method
	d.scheme = s.scheme
	if step.Scheme != "" {
		d.scheme = step.Scheme
	}
	d.authority = s.authority
	if step.Authority != "" {
		d.authority = step.Authority
	}
	d.path, _, _ = strings.Cut(step.Path, "?")

	d.addOrigin(step)
	d.page, _, _ = strings.Cut(d.scheme+"://"+d.authority+step.Path, "#")

	step.setDefault("Accept", "*/*")
	for _, p := range s.pins {
		step.setIfKnown(p.Name, p.Value)
	}
	if !text.ContainsName(d.a.spec.Pin, "User-Agent") {
		step.setIfKnown("User-Agent", d.agent)
	}
	if d.secret == nil {
		d.putSession(step)
	}
	d.addCookies(step)
}

// addCookies adds the cookies of the jar. Those that the step itself has, which a script would have set,
// stand after them and win over those of the same name.
func (d *Dialogue) addCookies(step *Step) {
	held := d.session.jar.Cookies()
	var own []Cookie
	step.Fields = slices.DeleteFunc(step.Fields, func(f Field) bool {
		if !strings.EqualFold(f.Name, "Cookie") {
			return false
		}
		for pair := range strings.SplitSeq(f.Value, ";") {
			if name, value, ok := cookie.CutPair(strings.TrimSpace(pair)); ok {
				own = append(own, Cookie{Name: name, Value: value})
			}
		}
		return true
	})

	held = slices.DeleteFunc(slices.Clone(held), func(c cookie.Cookie) bool {
		return slices.ContainsFunc(own, func(o Cookie) bool { return o.Name == c.Name })
	})
	step.setIfKnown("Cookie", cookie.HeaderValue(held, own, hostWithoutPort(d.authority), d.path, d.scheme == "https", d.now()))
}

// putSession authenticates a step of a logout or a probe as requests of the session are: by its
// headers, and at the hosts of the application by its parameters, its members of a JSON body and the
// answer to its challenge.
func (d *Dialogue) putSession(step *Step) {
	s := d.session
	for _, h := range s.headers {
		step.setIfKnown(h.Name, h.Value)
	}
	if step.External {
		return
	}

	target, query, hasQuery := strings.Cut(step.Path, "?")
	query = putQuery(query, s.withoutParams(query))
	if hasQuery || query != "" {
		step.Path = target + "?" + query
	}
	if strings.HasPrefix(fieldValue(step.Fields, "Content-Type"), "application/json") {
		if body := putJSON(step.Body, s); body != nil {
			step.Body = body
		}
	}
	if s.digest != nil {
		step.setDefault("Authorization", s.digest.Answer(step.Method, step.Path))
	}
}

// withoutParams returns s without the parameters that a query has already, because the recipe names
// them.
func (s *Session) withoutParams(query string) *Session {
	if len(s.query) == 0 || query == "" {
		return s
	}
	has, err := url.ParseQuery(query)
	if err != nil {
		return s
	}
	missing := slices.DeleteFunc(slices.Clone(s.query), func(f Field) bool { return has.Has(f.Name) })
	return &Session{sessionState: &sessionState{query: missing}}
}

// addOrigin adds Referer, Origin and Sec-Fetch-Site (Fetch Metadata, W3C) for a request that the
// last page makes.
func (d *Dialogue) addOrigin(step *Step) {
	origin := d.scheme + "://" + d.authority
	from, sameOrigin := strings.CutPrefix(d.page, origin)
	sameOrigin = sameOrigin && strings.HasPrefix(from, "/")

	switch {
	case d.page == "" && step.Method == "GET": // as if the user typed the address
		step.setDefault("Sec-Fetch-Site", "none")
		return
	case d.page == "": // as if the page at that path had sent it
		from = d.path
	case !sameOrigin: // browsers tell another host the origin alone
		origin = originOf(d.page)
		step.setIfKnown("Referer", origin+"/")
		step.setDefault("Sec-Fetch-Site", "cross-site")
		if step.Method != "GET" {
			step.setIfKnown("Origin", origin)
		}
		return
	}

	step.setIfKnown("Referer", origin+from)
	step.setDefault("Sec-Fetch-Site", "same-origin")
	if step.Method != "GET" {
		step.setIfKnown("Origin", origin)
	}
}

// originOf returns the part of a URL before its path.
func originOf(page string) string {
	scheme, rest, ok := strings.Cut(page, "://")
	if !ok {
		return page
	}
	authority, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority
}

// setDefault adds a header field that the step does not set itself.
func (s *Step) setDefault(name, value string) {
	if fieldValue(s.Fields, name) == "" {
		s.Fields = append(s.Fields, Field{Name: name, Value: value})
	}
}

// setIfKnown is setDefault for a value that is "" if there is none.
func (s *Step) setIfKnown(name, value string) {
	if value != "" {
		s.setDefault(name, value)
	}
}
