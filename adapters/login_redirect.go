package adapters

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/css"
)

// maxHops bounds follow.
const maxHops = 20

// followRedirect returns the request that an answer redirects to, if the current step follows it. It
// returns nil if the answer is the last of the step.
func (d *Dialogue) followRedirect(last *Reply) (*Step, error) {
	location := fieldValue(last.Fields, "Location")
	if d.hops >= d.steps[d.at].Follow || last.Status < 300 || last.Status > 399 || location == "" {
		return nil, nil
	}
	if last.Status == 307 || last.Status == 308 {
		return nil, fmt.Errorf("the redirect (status %d) asks to send the request again, with its body", last.Status)
	}

	for _, f := range last.Fields {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			d.onTheWay = append(d.onTheWay, f)
		}
	}

	step := &Step{Method: "GET"}
	if err := d.resolveTarget(step, location, d.pageURL()); err != nil {
		return nil, err
	}
	d.hops++
	return step, nil
}

// pageURL is the URL of the last page, or that of the application before there is one.
func (d *Dialogue) pageURL() *url.URL {
	if u, err := url.Parse(d.page); err == nil && d.page != "" {
		return u
	}
	return &url.URL{Scheme: d.session.scheme, Host: d.session.authority, Path: "/"}
}

// baseURL is what a URL on the last page is relative to: its base element, or itself (HTML, document
// base URLs). An empty target is the page itself, whatever its base, as the action of a form is.
func (d *Dialogue) baseURL(target string) *url.URL {
	page := d.pageURL()
	if target == "" || d.last == nil {
		return page
	}
	href, found, err := css.Select(d.last.Body, "base[href]", "href")
	if err != nil || !found {
		return page
	}
	base, err := page.Parse(strings.TrimSpace(href))
	if err != nil {
		return page
	}
	return base
}

// upgrade makes an address with http and without a port one with https if the login goes over https, as
// a browser does that has seen Strict-Transport-Security (RFC 6797 section 8.3).
func (d *Dialogue) upgrade(u *url.URL) {
	if d.session.scheme == "https" && u.Scheme == "http" && (u.Port() == "" || u.Port() == "80") {
		u.Scheme, u.Host = "https", strings.TrimSuffix(u.Host, ":80")
	}
}

// resolveTarget sets the scheme, the authority and the path of a step from a URL that may be relative
// to base. It fails for hosts to which a login may not go, and for a way from https to http. The error
// names the host and holds no other part of the URL.
func (d *Dialogue) resolveTarget(step *Step, target string, base *url.URL) error {
	u, err := base.Parse(target)
	if err != nil {
		return errors.New("the target is not a URL once its values are filled in")
	}
	d.upgrade(u)

	step.Path = encodeTarget(u.RequestURI())
	host := strings.ToLower(u.Host)
	if host == d.session.authority && u.Scheme == d.session.scheme {
		return nil
	}

	if u.Scheme != "https" && (u.Scheme != "http" || d.session.scheme != "http") {
		return fmt.Errorf("the target at %q is not reached over https", host)
	}
	switch {
	case d.a.serves(host):
		if u.Scheme != d.session.scheme {
			return fmt.Errorf("the target at %q is not reached over %s, as the login is", host, d.session.scheme)
		}
	case d.a.servesLogin(host):
		step.External = true
	default:
		return fmt.Errorf("the target is at %q, which is listed in neither hosts nor login.hosts", host)
	}

	step.Scheme = u.Scheme
	step.Authority = host
	return nil
}

// encodeTarget percent-encodes the bytes that browsers accept in a URL and a request may not have
// (WHATWG URL, query state).
func encodeTarget(target string) string {
	var b strings.Builder
	for i := 0; i < len(target); i++ {
		if c := target[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
