package adapters

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// check reports what the shape of the file cannot show. own means that the adapter is to be used, and not only
// extended.
func (d *draft) check(own bool) {
	d.checkName()
	d.checkChoices(reflect.ValueOf(&d.spec).Elem(), "")
	if own {
		d.checkHosts()
		d.checkInterim()
		if len(d.spec.Actions) == 0 {
			d.at("actions", "name at least one", "the adapter names no action, so every request would be refused")
		}
	}
	d.checkUpstream()
	d.checkLogin()
	d.checkCookies()
	d.checkActions()
	d.checkHistory()
	d.checkHeaderNames()
}

func (d *draft) checkName() {
	name := d.spec.Name
	switch {
	case name == "":
		d.at("name", "for example name: wiki", "the adapter has no name")
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		d.at("name", "lower case letters, digits and hyphens", "name %q is not a name", name)
	}
}

func (d *draft) checkHosts() {
	if len(d.spec.Hosts) == 0 {
		d.at("hosts", "for example hosts: [wiki.acme.example]", "the adapter has no hosts")
	}

	seen := map[string]bool{}
	for i, h := range d.spec.Hosts {
		key := fmt.Sprintf("hosts[%d]", i)
		if fault := hostFault(h); fault != "" {
			d.at(key, "", "host %q: %s", h, fault)
		} else if seen[strings.ToLower(h)] {
			d.at(key, "", "host %q is listed twice", h)
		}
		seen[strings.ToLower(h)] = true
	}
}

// checkInterim leaves keys that are missing to the decoder.
func (d *draft) checkInterim() {
	if d.lines["interim"] == 0 {
		d.at("interim", "interim: {reason: …, owner: …, review_by: 2027-06-30}", "the adapter does not say why it exists: interim is missing")
		return
	}

	s := &d.spec.Interim
	for _, f := range []struct{ key, value string }{{"reason", s.Reason}, {"owner", s.Owner}} {
		if d.lines["interim."+f.key] > 0 && strings.TrimSpace(f.value) == "" {
			d.at("interim."+f.key, "", "interim.%s is empty", f.key)
		}
	}
	if _, err := time.Parse(time.DateOnly, s.ReviewBy); err != nil && d.lines["interim.review_by"] > 0 {
		d.at("interim.review_by", "YYYY-MM-DD", "interim.review_by %q is not a day", s.ReviewBy)
	}
}

// checkChoices reports fields that have another value than those of their tag. It looks at structs within structs, and
// not at lists of them, which have no such fields.
func (d *draft) checkChoices(v reflect.Value, path string) {
	for i, key := range keysOf(v.Type()) {
		at := join(path, key)
		f := v.Field(i)
		if f.Kind() == reflect.Struct {
			d.checkChoices(f, at)
		}

		known := choicesOf(v.Type().Field(i))
		if known == nil || f.String() == "" || slices.Contains(known, f.String()) {
			continue
		}
		slices.Sort(known)
		d.at(at, "known: "+strings.Join(known, ", "), "unknown %s %q", at, f.String())
	}
}

// choicesOf are the values that a field of the language may have; nil: any.
func choicesOf(f reflect.StructField) []string {
	switch choices := f.Tag.Get("one"); choices {
	case "":
		return nil
	case "KINDS":
		return kindNames()
	default:
		return strings.Split(choices, "|")
	}
}

func (d *draft) checkUpstream() {
	u := &d.spec.Upstream
	if u.URL != "" && !isOrigin(u.URL) {
		d.at("upstream.url", "scheme://host:port, as in https://10.0.0.7:8443", "upstream.url %q is not an address to connect to", u.URL)
	}
	d.checkProxy()
	if _, ok := u.Pin.Fingerprints(); !ok || u.Pin.Because != "" && len(u.Pin.Certificate) == 0 {
		d.at("upstream.pin.certificate", "64 hexadecimal digits, as openssl x509 -noout -fingerprint -sha256 prints them", "a fingerprint of upstream.pin is not one of SHA-256")
	}
	if (u.ClientCert == "") != (u.ClientKey == "") {
		d.at("upstream", "", "upstream.client_cert and upstream.client_key go together")
	}
}

// isOrigin reports whether a URL is a scheme, http or https, with a host, and nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == ""
}

// checkProxy never repeats the address, which may hold credentials.
func (d *draft) checkProxy() {
	u := &d.spec.Upstream
	if u.Proxy == "" || u.Proxy == "direct" {
		if u.ProxyAuth != "" || u.ProxyNames {
			d.at("upstream", "", "upstream.proxy_auth and upstream.proxy_names go with upstream.proxy")
		}
		return
	}

	parsed, err := url.Parse(u.Proxy)
	switch {
	case err != nil || parsed.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, parsed.Scheme) || strings.Trim(parsed.Path, "/") != "":
		d.at("upstream.proxy", "http://proxy.acme.example:3128, socks5://…, or direct", "upstream.proxy is not the address of a proxy")
	case parsed.User != nil:
		d.at("upstream.proxy", "put user:password into a file and name it in upstream.proxy_auth", "upstream.proxy holds credentials")
	}
}

// checkHeaderNames is about the keys that hold names of header fields.
func (d *draft) checkHeaderNames() {
	s := &d.spec
	for _, list := range []struct {
		key   string
		names []string
	}{
		{"pin", s.Pin},
		{"headers.strip", s.Headers.Strip},
		{"headers.pass", s.Headers.Pass},
	} {
		for i, name := range list.names {
			if !text.IsToken(name) {
				d.at(fmt.Sprintf("%s[%d]", list.key, i), "", "%q is not a header name", name)
			}
		}
	}

	if count := s.Count.Header; count != "" && !mayCarryCount(count) {
		d.at("count.header", "a name that nothing else uses, for example X-Byline-Count", "%q cannot carry the count", count)
	}
}

// mayCarryCount reports whether a header may be sent with every request without harm.
func mayCarryCount(header string) bool {
	return text.IsToken(header) && !namesCredential(strings.ToLower(header)) &&
		!text.SameName(header, "cookie") && !text.SameName(header, "host")
}
