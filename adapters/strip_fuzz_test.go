package adapters

import (
	"strings"
	"testing"
	"time"
)

// FuzzMarkedCookie puts a marked value under some name into a Cookie field, and
// asks a naive parser (pairs between semicolons, a name before the first "=")
// whose value the mark is part of. Unless that name may pass, the mark goes
// nowhere: neither as a cookie nor in a field.
func FuzzMarkedCookie(f *testing.F) {
	f.Add("Cookie", "csrftoken=1; ", "wiki_session", "; ui_x=2")
	f.Add("cOOKIE", "ui_a=\"", "b; x_session", "\"")
	f.Add("Cookie", "ui_", "a", "")
	f.Add("Cookie", "$Version=1; ui_a=", "sid", ",c")
	f.Add("Cookie", "", "ui_x_session", "")
	f.Add("X-Odd", "Bearer ", "x", "")
	const mark = "canary5d2e"
	a := small(nil)
	f.Fuzz(func(t *testing.T, field, before, name, after string) {
		if strings.Contains(before+name+after, mark[:2]) {
			return
		}
		header := before + name + "=" + mark + after
		out, cookies, _ := a.Strip(nil, []Field{{Name: field, Value: header}})
		out = a.putFields(out, &Session{sessionState: &sessionState{}}, cookies, "app.example", "/", true, time.Time{})
		for _, o := range out {
			if !strings.Contains(o.Value, mark) {
				continue
			}
			if !strings.EqualFold(o.Name, "Cookie") {
				if strings.EqualFold(strings.ReplaceAll(field, "_", "-"), "cookie") {
					t.Fatalf("a cookie went on as %q: %q", o.Name, header)
				}
				continue // a field of its own, which other tests judge
			}
			if whose := naiveOwner(header, mark); !mayPass(whose) {
				t.Fatalf("the value of %q passed: %q as %q", whose, header, o.Value)
			}
		}
	})
}

// naiveOwner is the name of the pair that mark is in.
func naiveOwner(header, mark string) string {
	for _, pair := range strings.Split(header, ";") {
		if strings.Contains(pair, mark) {
			return strings.Trim(strings.SplitN(pair, "=", 2)[0], " \t")
		}
	}
	return ""
}

// mayPass knows small's adapter by heart.
func mayPass(name string) bool {
	return name == "csrftoken" || strings.HasPrefix(name, "ui_") && !strings.HasSuffix(strings.ToLower(name), "session")
}
