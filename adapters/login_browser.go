package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// dress adds what a browser on that page would send: pinned headers, Origin, Referer and Sec-Fetch-*, which
// applications check against forgery, and the cookies so far. What the step says itself wins.
func (d *Dialogue) dress(step *Step) {
	s := d.session
	d.scheme, d.authority = s.scheme, s.authority
	if step.Authority != "" {
		d.authority = step.Authority
	}
	if step.Scheme != "" {
		d.scheme = step.Scheme
	}
	d.path, _, _ = strings.Cut(step.Path, "?")
	own := step.Fields
	set := func(name, value string) {
		if value != "" && fieldValue(own, name) == "" && fieldValue(step.Fields, name) == "" {
			step.Fields = append(step.Fields, Field{Name: name, Value: value})
		}
	}
	origin := d.scheme + "://" + d.authority
	if from, ok := strings.CutPrefix(d.page, origin); d.page == "" && step.Method == "GET" {
		set("Sec-Fetch-Site", "none")
	} else if ok && strings.HasPrefix(from, "/") || d.page == "" {
		if d.page == "" {
			from = d.path
		}
		set("Referer", origin+from)
		set("Sec-Fetch-Site", "same-origin")
		if step.Method != "GET" {
			set("Origin", origin)
		}
	} else { // from one host to another: the origin alone, as browsers do
		there := originOf(d.page)
		set("Referer", there+"/")
		set("Sec-Fetch-Site", "cross-site")
		if step.Method != "GET" {
			set("Origin", there)
		}
	}
	d.page, _, _ = strings.Cut(origin+step.Path, "#")
	set("Accept", "*/*")
	for _, p := range s.pins {
		set(p.Name, p.Value)
	}
	if !text.ContainsName(d.a.spec.Pin, "User-Agent") {
		set("User-Agent", d.agent)
	}
	if d.secret == nil { // a logout goes out as the session does; a login has no session headers yet
		for _, h := range s.headers {
			set(h.Name, h.Value)
		}
	}
	set("Cookie", cookie.Line(s.jar.Cookies(), nil, hostWithoutPort(d.authority), d.path, d.scheme == "https", d.now()))
}

// originOf cuts a URL before its path.
func originOf(page string) string {
	if i := strings.Index(page, "://"); i >= 0 {
		if j := strings.IndexByte(page[i+3:], '/'); j >= 0 {
			return page[:i+3+j]
		}
	}
	return page
}
