package adapters

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// check finds what the shape of the file cannot show. own: the adapter is to be used, not only inherited from.
func (d *draft) check(own bool) {
	s := &d.spec
	if s.Name == "" {
		d.at("name", "for example name: wiki", "the adapter has no name")
	} else if strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		d.at("name", "lower case letters, digits and hyphens", "name %q is not a name", s.Name)
	}
	d.checkChoices(reflect.ValueOf(s).Elem(), "")
	if own {
		d.checkPlace()
	}
	d.checkUpstream()
	d.checkLogin()
	d.checkActions()
	d.checkHistory()
	if h := s.Count.Header; h != "" && (!text.IsToken(h) || looksCredential(strings.ToLower(h)) || text.SameName(h, "cookie") || text.SameName(h, "host")) {
		d.at("count.header", "a name of its own, for example X-Byline-Count", "%q cannot carry the count", h)
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"pin", s.Pin}, {"headers.strip", s.Headers.Strip}, {"headers.pass", s.Headers.Pass}} {
		for i, name := range list.names {
			if !text.IsToken(name) {
				d.at(fmt.Sprintf("%s[%d]", list.key, i), "", "%q is not a header name", name)
			}
		}
	}
}

// checkPlace is about hosts and interim, which only an adapter in use must have.
func (d *draft) checkPlace() {
	s := &d.spec
	if len(s.Hosts) == 0 {
		d.at("hosts", "for example hosts: [wiki.acme.example]", "the adapter has no hosts")
	}
	seen := map[string]bool{}
	for i, h := range s.Hosts {
		key := fmt.Sprintf("hosts[%d]", i)
		if wrong := checkHost(h); wrong != "" {
			d.at(key, "", "host %q: %s", h, wrong)
		} else if seen[strings.ToLower(h)] {
			d.at(key, "", "host %q is listed twice", h)
		}
		seen[strings.ToLower(h)] = true
	}
	if d.lines["interim"] == 0 {
		d.at("interim", "interim: {reason: …, owner: …, review_by: 2027-06-30}", "the adapter does not say why it exists: interim is missing")
		return
	}
	for _, f := range []struct{ key, value string }{{"reason", s.Interim.Reason}, {"owner", s.Interim.Owner}} {
		if d.lines["interim."+f.key] > 0 && strings.TrimSpace(f.value) == "" {
			d.at("interim."+f.key, "", "interim.%s is empty", f.key)
		}
	}
	if _, err := time.Parse(time.DateOnly, s.Interim.ReviewBy); err != nil && d.lines["interim.review_by"] > 0 {
		d.at("interim.review_by", "YYYY-MM-DD", "interim.review_by %q is not a day", s.Interim.ReviewBy)
	}
	if len(s.Actions) == 0 {
		d.at("actions", "name at least one", "the adapter names no action, so every request would be refused")
	}
}

// checkChoices walks the structs for the values that a field may have.
func (d *draft) checkChoices(v reflect.Value, path string) {
	for i, key := range keysOf(v.Type()) {
		at, f := join(path, key), v.Field(i)
		if f.Kind() == reflect.Struct {
			d.checkChoices(f, at)
		}
		known := choicesOf(v.Type().Field(i))
		if known == nil || f.String() == "" {
			continue
		}
		if !slices.Contains(known, f.String()) {
			slices.Sort(known)
			d.at(at, "known: "+strings.Join(known, ", "), "unknown %s %q", at, f.String())
		}
	}
}

// choicesOf are the values that a field of the language may have; nil: any.
func choicesOf(f reflect.StructField) []string {
	switch one := f.Tag.Get("one"); one {
	case "":
		return nil
	case "KINDS":
		return kindNames()
	default:
		return strings.Split(one, "|")
	}
}

func (d *draft) checkUpstream() {
	u := d.spec.Upstream
	if u.URL != "" {
		parsed, err := url.Parse(u.URL)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || strings.Trim(parsed.Path, "/") != "" || parsed.User != nil {
			d.at("upstream.url", "scheme://host:port, as in https://10.0.0.7:8443", "upstream.url %q is not an address to connect to", u.URL)
		}
	}
	if own := u.Proxy != "" && u.Proxy != "direct"; own {
		parsed, err := url.Parse(u.Proxy)
		switch {
		case err != nil || parsed.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, parsed.Scheme) || strings.Trim(parsed.Path, "/") != "":
			d.at("upstream.proxy", "http://proxy.acme.example:3128, socks5://…, or direct", "upstream.proxy is not the address of a proxy")
		case parsed.User != nil:
			d.at("upstream.proxy", "put user:password into a file and name it in upstream.proxy_auth", "upstream.proxy holds credentials")
		}
	} else if u.ProxyAuth != "" || u.ProxyNames {
		d.at("upstream", "", "upstream.proxy_auth and upstream.proxy_names go with upstream.proxy")
	}
	if (u.ClientCert == "") != (u.ClientKey == "") {
		d.at("upstream", "", "upstream.client_cert and upstream.client_key go together")
	}
}

// checkHost says what is wrong with a host pattern; "" when nothing is.
func checkHost(pattern string) string {
	host, port := splitAuthority(pattern)
	if port != "" && (len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return "the port is not a number"
	}
	name := strings.TrimPrefix(host, "*.")
	switch {
	case name == "":
		return "it is empty"
	case strings.Contains(host, "/"):
		return "it is a URL; write the host only"
	case strings.Contains(name, "*"):
		return "* may stand only at the front, as *.suffix"
	case strings.HasPrefix(name, "["):
		if net.ParseIP(strings.Trim(name, "[]")) == nil {
			return "it is not an IPv6 address in brackets"
		}
		return ""
	case host != name && !strings.Contains(name, "."):
		return "the suffix would cover a whole top-level domain"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "it is not a host name"
		}
	}
	return ""
}
