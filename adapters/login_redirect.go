package adapters

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
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
	if err := d.resolveTarget(step, location); err != nil {
		return nil, err
	}
	d.hops++
	return step, nil
}

// resolveTarget sets the scheme, the authority and the path of a step from a URL that may be relative
// to the last page. It fails for hosts to which a login may not go, and for a way from https to http.
// The error names the host and holds no other part of the URL.
func (d *Dialogue) resolveTarget(step *Step, target string) error {
	base := &url.URL{Scheme: d.session.scheme, Host: d.session.authority, Path: "/"}
	if d.page != "" {
		if u, err := url.Parse(d.page); err == nil {
			base = u
		}
	}
	u, err := base.Parse(target)
	if err != nil {
		return errors.New("the target is not a URL once its values are filled in")
	}

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
