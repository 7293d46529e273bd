package cookie

import (
	"strings"
	"testing"
)

// FuzzParseSet: a cookie that a jar keeps belongs to the host that set it, and a parsed field that is
// written again means the same.
func FuzzParseSet(f *testing.F) {
	for _, s := range []string{"a=b; Path=/x; Domain=.acme.example; Max-Age=60; Secure; HttpOnly; SameSite=Lax", "a=deleted; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0",
		"a=\"b c\"; path=relative", "=x", "a", "a=b;;;", "a=b; Expires=Sun, 06-Nov-94 08:49:37 GMT", "a=b; Domain=example"} {
		f.Add(s, "app.acme.example", "/wiki/page")
	}
	f.Fuzz(func(t *testing.T, field, host, path string) {
		c, ok := ParseSet(field)
		if !ok {
			return
		}

		again, ok := ParseSet(c.String())
		if !ok || again.Name != c.Name || again.Value != c.Value || again.Path != c.Path || again.Domain != c.Domain || again.MaxAge != c.MaxAge {
			t.Fatalf("%q became %q", field, c.String())
		}
		if strings.ContainsAny(c.String(), "\r\n\x00") {
			t.Fatalf("%q is more than one line", c.String())
		}

		host = strings.ToLower(host)
		h, ok := c.At(host, path, noon)
		if !ok {
			return
		}
		if h.Domain != host && (h.HostOnly || !isSubdomain(host, h.Domain)) {
			t.Fatalf("%q at %q is kept for %q", field, host, h.Domain)
		}

		j := &Jar{}
		j.Put(h, noon, isSID)
		for _, kept := range j.Cookies() {
			if kept.Fits("other.example", "/", true, noon) && host != "other.example" && !strings.HasSuffix(host, "."+kept.Domain) {
				t.Fatalf("%q of %q goes to other.example", field, host)
			}
		}
		if len(j.Cookies()) > 1 {
			t.Fatal("one field, two cookies")
		}
	})
}
