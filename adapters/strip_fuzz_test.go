package adapters

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzMarkedCookie puts a marked value under some name into a Cookie field, and asks a naive parser
// (pairs between semicolons, a name before the first "=") whose value the mark is a part of. Unless that
// name may pass, the mark goes on nowhere: neither as a cookie nor in a field.
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
					t.Fatalf("%s: %q went on as %s", field, header, o.Name)
				}
				continue // a field with another name, which other tests judge
			}
			if owner := naiveOwner(header, mark); !mayPass(owner) {
				t.Fatalf("%q: the value of %q passed as %q", header, owner, o.Value)
			}
		}
	})
}

// naiveOwner returns the name of the pair that has the mark.
func naiveOwner(header, mark string) string {
	for pair := range strings.SplitSeq(header, ";") {
		if strings.Contains(pair, mark) {
			name, _, _ := strings.Cut(pair, "=")
			return strings.Trim(name, " \t")
		}
	}
	return ""
}

// mayPass repeats what the adapter small says about cookies.
func mayPass(name string) bool {
	return name == "csrftoken" || strings.HasPrefix(name, "ui_") && !strings.HasSuffix(strings.ToLower(name), "session")
}

// FuzzCookies asks two other parsers, a naive one and that of net/http: whatever the agent sends, no
// name that does not pass reaches the application.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{
		"csrftoken=1; x_session=2", "ui_a=\"b; x_session=1\"", "ui_=a,x_session=b", ";;=;a=;\x00", "ui_a=b\r\nCookie: x=1",
	} {
		f.Add(s)
	}
	a := small(nil)

	f.Fuzz(func(t *testing.T, header string) {
		_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: header}})
		s := &Session{sessionState: &sessionState{}}
		for _, field := range a.putFields(nil, s, cookies, "app.example", "/", true, time.Time{}) {
			if strings.ContainsAny(field.Value, "\r\n\x00") {
				t.Fatalf("%q: a line break went on in %q", header, field.Value)
			}
			for _, pair := range strings.FieldsFunc(field.Value, func(r rune) bool { return r == ';' || r == ',' }) {
				name, _, _ := strings.Cut(pair, "=")
				name = strings.TrimSpace(name)
				if name != "csrftoken" && !strings.HasPrefix(name, "ui_") || strings.HasSuffix(name, "_session") {
					t.Fatalf("%q: %q passed", header, name)
				}
			}
			for _, c := range (&http.Request{Header: http.Header{"Cookie": {field.Value}}}).Cookies() {
				if c.Name != "csrftoken" && !strings.HasPrefix(c.Name, "ui_") {
					t.Fatalf("%q: net/http reads %q", header, c.Name)
				}
			}
		}
	})
}

// FuzzStrip: no credential goes on in a field or in the query, however it is spelled.
func FuzzStrip(f *testing.F) {
	f.Add("Authorization", "Bearer x", "access_token=1&a=2")
	f.Add("X_aUtH_Token", "x", "a;%73id=1")
	f.Add("Accept", "text/html", "a=1")
	words := []string{"authorization", "cookie", "session", "token", "secret", "password", "jwt", "forwarded"}
	params := []string{"access_token", "sid", "phpsessid", "jsessionid", "api_key"}
	a := small(nil)

	f.Fuzz(func(t *testing.T, name, value, query string) {
		out, _, _ := a.Strip(nil, []Field{{Name: name, Value: value}})
		for _, field := range out {
			lower := strings.ReplaceAll(strings.ToLower(field.Name), "_", "-")
			isExempt := strings.Contains(lower, "csrf") || strings.Contains(lower, "xsrf") ||
				strings.HasPrefix(lower, "sec-fetch-") || strings.HasPrefix(lower, "sec-websocket-")
			for _, word := range words {
				if strings.Contains(lower, word) && !isExempt {
					t.Fatalf("%q passed", field.Name)
				}
			}
			if strings.HasPrefix(strings.ToLower(field.Value), "bearer ") && lower != "referer" && len(field.Value) > len("bearer ") {
				t.Fatalf("%q passed with the value %q", field.Name, field.Value)
			}
		}

		clean, removed := a.StripQuery(query)
		if len(removed) == 0 && clean != query {
			t.Fatalf("%q became %q, although nothing was removed", query, clean)
		}
		for _, pair := range strings.FieldsFunc(clean, func(r rune) bool { return r == '&' || r == ';' }) {
			param, _, _ := strings.Cut(pair, "=")
			if slices.Contains(params, strings.ToLower(param)) {
				t.Fatalf("%q became %q, which has %q", query, clean, pair)
			}
		}
	})
}
