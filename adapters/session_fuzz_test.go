package adapters

import (
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
)

// FuzzJar: however cookies come and go, the jar stays within its bounds, what it sends is one
// well-formed field, and a session can be stored and restored.
func FuzzJar(f *testing.F) {
	f.Add("a=1\na=2; Path=/x\na=deleted; Max-Age=0\nb=3; Domain=acme.example", "/x/y")
	f.Add("sid=canary; Secure\nsid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/")
	a := small(nil)

	f.Fuzz(func(t *testing.T, setCookies, path string) {
		s := sessionWith(a, "app.acme.example", "/")
		now := noon
		for value := range strings.SplitSeq(setCookies, "\n") {
			a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: value}}, "app.acme.example", path, now)
			now = now.Add(time.Second)
		}

		if n := len(s.jar.Cookies()); n > cookie.MaxCookies {
			t.Fatalf("the jar has %d cookies, want at most %d", n, cookie.MaxCookies)
		}
		for _, out := range a.putFields(nil, s, nil, "app.acme.example", path, true, now) {
			if out.Name != "Cookie" || strings.ContainsAny(out.Value, "\r\n\x00") {
				t.Fatalf("sent %q: %q, want one Cookie field on one line", out.Name, out.Value)
			}
		}

		text, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		restored, err := a.Restore(text)
		if err != nil || len(restored.jar.Cookies()) != len(s.jar.Cookies()) {
			t.Fatalf("restored %s: %v", text, err)
		}
	})
}
