package adapters

import (
	"strings"
	"testing"
)

// A second resource goes out as a URL of the application without credentials, or not at all, and actions are decided on
// what goes out.
func TestI2I11Destinations(t *testing.T) {
	a := small(func(s *Spec) { s.Hosts = []string{"app3.test", "*.dav.test"} })
	for value, want := range map[string]string{
		"https://app3.test/x": "https://app3.test/x", "/x/y": "/x/y", "https://app3.test:443/x%20y": "https://app3.test:443/x%20y", " /x ": "/x", "https://a.dav.test/x": "https://a.dav.test/x", "https://APP3.test/x": "https://APP3.test/x",
		"https://app3.test/x;jsessionid=AAAA?token=abc": "https://app3.test/x", "/x;JSESSIONID=AAAA": "/x", "/x?token=abc&v=1": "/x?v=1", "https://alice:pw@app3.test/x": "https://app3.test/x", "https://alice@app3.test/x": "https://app3.test/x", "/x#access_token=1": "/x",
		"/x/" + doorsJWT: "", "https://app3.test/reset/" + doorsJWT + "/y": "", "/x?a=" + doorsJWT: "/x",
		"https://other.test/x": "", "https://app3.test@other.test/x": "", "ftp://app3.test/x": "", "//other.test/x": "", "x/y": "", "/a/../b": "", "/a/%2e%2e/b": "", "/a%2fb": "", "/a\\b": "", "/a//b": "", "/a;v=1": "", "": "", "javascript:x": "", "https://app3.test": "https://app3.test",
	} {
		for _, name := range []string{"Destination", "destination", "Content-Location"} {
			out, _, removed := a.Strip(nil, []Field{{Name: name, Value: value}})
			got := ""
			if len(out) == 1 {
				got = out[0].Value
			}
			if got != want || len(out) == 0 && len(removed) == 0 {
				t.Errorf("%s: %s became %q, want %q", name, value, got, want)
			}
		}
	}

	text := strings.NewReplacer("LISTS", "", "COOKIE", "").Replace(securityAdapter) + `  - {name: file.move, match: {method: MOVE, path: /a, header: {Destination: ["https://a.example/to/{to}", "/to/{to}"]}}, resource: "file/{to}"}`
	set, err := Load([]Source{{Name: "a.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"https://a.example/to/1;jsessionid=AAAA?token=abc": "file.move file/1", "/to/1?sid=x": "file.move file/1", "/to/1": "file.move file/1", "/to/../1": "refused", "https://b.example/to/1": "refused", "/to/1;v=2": "refused", "/to/" + doorsJWT: "refused",
	} {
		q := Query{Method: "MOVE", Path: "/a", Fields: []Field{{"Destination", value}}, NoBody: true}
		if got := verdictOf(set.ByName("a"), q); got != want {
			t.Errorf("Destination: %s is %s, want %s", value, got, want)
		}
	}
}

func TestI2EveryAllowedFieldIsJudged(t *testing.T) {
	a := small(nil)
	credentials := []string{
		"Bearer abc", doorsJWT, "x " + doorsJWT, "\"" + doorsJWT + "\"", "ya29.a0AfH6SMBxyz0123456789abcdef", "https://alice:hunter22@x.example/", "<https://app.example/x?token=abc>; rel=next", "/x;jsessionid=AAAA", "urn:x?access_token=abc",
		"PHPSESSID=abcdef0123456789", "a; session=SeSsIoN0001", "<https://app.example/x;jsessionid=AAAA> (<urn:uuid:181d4fae>)", "<https://app.example/x?token=abc> ([\"etag\"])", "Basic eDp5",
	}
	names := []string{}
	for name := range allowedFields {
		names = append(names, name)
	}
	for _, name := range append(names, "Link", "Refresh", "Slug", "X-Requested-With", "If", "SOAPAction", "Origin", "Lock-Token") {
		for _, value := range credentials {
			out, _, removed := a.Strip(nil, []Field{{name, value}})
			if len(out) != 0 || len(removed) != 1 {
				t.Errorf("%s: %s goes on", name, value)
			}
		}
	}
	for name, value := range map[string]string{
		"If": "<https://app.example/x> (<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2>) (Not <DAV:no-lock>)", "Lock-Token": "<opaquelocktoken:e71d4fae-5dec-22d6-fea5-00a0c91e6be4>", "SOAPAction": "\"urn:wiki#getPage\"", "Origin": "https://app.example",
		"User-Agent": "Mozilla/5.0 (compatible; bot/1.0; +https://bot.example/?about=1)", "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Content-Type": "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", "If-None-Match": "W/\"5f3c2b1a-1a2b\", \"d41d8cd98f00b204e9800998ecf8427e\"",
		"Sec-CH-UA": `"Chromium";v="124", "Not-A.Brand";v="99"`, "Cache-Control": "max-age=0, no-cache", "Range": "bytes=0-1023", "Prefer": "return=minimal; respond-async, wait=10", "Content-Disposition": `attachment; filename="a session=1.txt"`, "X-CSRF-Token": "IjY3ZDk2.ZxYzAb.0123456789abcdefghijklmnopQ",
		"X-XSRF-TOKEN": "eyJpdiI6Ik1USXpORFUyTnpnNU1ERXlNelExTmc9PSIsInZhbHVlIjoiYWJjZGVmZ2hpamtsbW5vcCIsIm1hYyI6IjAxMjMifQ==", "Content-Digest": "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", "Last-Event-ID": "1700000000000-0", "Idempotency-Key": "123e4567-e89b-12d3-a456-426614174000",
	} {
		if out, _, _ := a.Strip(nil, []Field{{name, value}}); len(out) != 1 || out[0].Value != value {
			t.Errorf("%s: %s became %v", name, value, out)
		}
	}
}

// Fields by which an application reads another method, path or host than the request has are held, even if headers.pass
// names them, unless the adapter says what they mean.
func TestI11FieldsThatChangeWhatIsRead(t *testing.T) {
	plain := small(func(s *Spec) {
		s.Headers.Pass = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Host", "X-Forwarded-Prefix", "Proxy-Authenticate"}
	})
	said := small(func(s *Spec) {
		s.Headers.Pass = []string{"X-Original-URL"}
		s.MethodOverride.Header = "X-HTTP-Method-Override"
		s.Actions = append(s.Actions, ActionSpec{Name: "x", Match: MatchSpec{Header: map[string]Strings{"X-Original-URL": {"/a"}, "X-Method-Override": {"PUT"}}}})
	})
	for _, c := range []struct {
		a      *Adapter
		name   string
		passes bool
	}{
		{plain, "X-HTTP-Method-Override", false}, {plain, "x_http_method", false}, {plain, "X-Method-Override", false}, {plain, "X-Original-URL", false}, {plain, "X-Rewrite-URL", false}, {plain, "X-Forwarded-Host", false}, {plain, "X-Forwarded-Prefix", false},
		{said, "X-HTTP-Method-Override", true}, {said, "X-Original-URL", true}, {said, "X-Method-Override", false}, {said, "X-Rewrite-URL", false}, {plain, "Proxy-Authenticate", false},
		{plain, "X-Forwarded-For", false}, {plain, "X-Forwarded-User", false}, {plain, "Forwarded", false}, {plain, "DPoP", false}, {plain, "Proxy-Connection", false}, {plain, "X-Real-IP", false}, {plain, "Via", true},
	} {
		out, _, _ := c.a.Strip(nil, []Field{{c.name, "1.1 x"}})
		if passes := len(out) == 1; passes != c.passes {
			t.Errorf("%s goes on: %v, want %v", c.name, passes, c.passes)
		}
	}
}

func TestI2CredentialsInPaths(t *testing.T) {
	a := small(func(s *Spec) { s.Paths.Pass = []string{"/files/{id}/{signature}", "/open/**"} })
	var d draft
	d.spec = a.spec
	a.passedPaths = d.compilePassedPaths()
	for path, want := range map[string]string{
		"/reset/" + doorsJWT: "/reset/...", "/a/" + doorsJWT + "/b": "/a/.../b", "/a/" + strings.ReplaceAll(doorsJWT, ".", "%2E"): "/a/...", "/a/ghp_0123456789abcdefABCDEF/" + doorsJWT + "/": "/a/.../.../", "/a/Bearer%20abc": "/a/...", "/" + doorsJWT: "/...",
		"/(S(lit3py55t21z5v55vlm25s55))/a": "/.../a", "/(F(0102ABCDEF0123456789_abc-DEF))/a": "/.../a", "/(X(1)S(lit3py55t21z5v55vlm25s55))/": "/.../", "/a%28b/%28S%28lit3py55t21z5v55vlm25s55%29%29": "/a%28b/...",
		"/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9/getMe": "/.../getMe", "/(X(1))/a": "", "/(S(n))/a": "", "/wiki/Mercury_(planet)": "", "/a/(F)": "", "/Methods(S(a-long-name-of-a-thing))": "",
		"/x/access_token=abcdef123/y": "/x/.../y", "/x/session%3DSeSsIoN0001": "/x/...",
		"/files/7/" + doorsJWT: "", "/open/a/" + doorsJWT: "", "/a/b": "", "/": "", "": "", "/*": "", "/reset/abc": "", "/a/d41d8cd98f00b204e9800998ecf8427e": "", "/a/main.chunk.5f3c2b1a.js": "", "/tree/v1.2.3-beta.4/some.module.Name": "",
		"/rails/active_storage/blobs/eyJfcmFpbHMiOnsiZGF0YSI6MSwicHVyIjoiYmxvYl9pZCJ9fQ==--0123456789abcdef0123456789abcdef01234567/a.png": "", "/wiki/Basic%20training": "", "/wiki/Special:Search": "", "/a@b/x": "", "/p/Token%20economy%202024": "", "/q/code=DE": "",
	} {
		_, got, isThere := a.CredentialInPath(path)
		if isThere != (want != "") || isThere && got != want {
			t.Errorf("%s became %s (%v), want %s", path, got, isThere, want)
		}
	}
}
