package adapters

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxHops bounds follow.
const maxHops = 20

// followed is the request that a redirect asks for, where the step under way follows it; nil: the answer is the last.
func (d *Dialogue) followed(last *Reply) (*Step, error) {
	location := fieldValue(last.Fields, "Location")
	if d.hops >= d.steps[d.at].Follow || last.Status < 300 || last.Status > 399 || location == "" {
		return nil, nil
	}
	if last.Status == 307 || last.Status == 308 {
		return nil, fmt.Errorf("the redirect (status %d) asks for the request again, with its body", last.Status)
	}
	for _, f := range last.Fields {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			d.onTheWay = append(d.onTheWay, f)
		}
	}
	step := &Step{Method: "GET"}
	if err := d.locate(step, location); err != nil {
		return nil, err
	}
	d.hops++
	return step, nil
}

// locate resolves a target against the last page and says where it is. The error names a host and nothing else.
func (d *Dialogue) locate(step *Step, target string) error {
	base := &url.URL{Scheme: d.session.scheme, Host: d.session.authority, Path: "/"}
	if d.page != "" {
		if u, err := url.Parse(d.page); err == nil {
			base = u
		}
	}
	u, err := base.Parse(target)
	if err != nil {
		return errors.New("the target with its values filled in is not a URL")
	}
	step.Path = plainTarget(u.RequestURI())
	host := strings.ToLower(u.Host)
	if host == d.session.authority && u.Scheme == d.session.scheme {
		return nil
	}
	if u.Scheme != "https" && (u.Scheme != "http" || d.session.scheme != "http") {
		return fmt.Errorf("the way to %q is not over https", host)
	}
	switch {
	case d.a.serves(host):
		if u.Scheme != d.session.scheme {
			return fmt.Errorf("the way to %q leaves %s", host, d.session.scheme)
		}
	case d.a.servesLogin(host):
		step.External = true
	default:
		return fmt.Errorf("the way leads to the host %q, which neither hosts nor login.hosts names", host)
	}
	step.Scheme, step.Authority = u.Scheme, host
	return nil
}

// plainTarget encodes what a page may have in a URL and a request may not (WHATWG URL, query state).
func plainTarget(target string) string {
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
