package adapters

import (
	"strings"
	"testing"
)

// TestLoginTargetsAreResolvedAsBrowsersDo answers the first step of a login with a page or a
// redirect, and looks at where the next step goes.
func TestLoginTargetsAreResolvedAsBrowsersDo(t *testing.T) {
	const byForm = `
  kind: form
  steps:
    - get: /auth/start?x=1
      take: {action: {css: "form#f", attr: action}}
    - post: ${action}
      form: {u: "${username}", p: "${password}"}
  success: {status: 302}`
	const byRedirect = `
  kind: form
  steps:
    - {post: /auth/start, form: {u: "${username}", p: "${password}"}, follow: 2}
  success: {status: 200}`
	page := func(head, action string) *Reply {
		return &Reply{Status: 200, Fields: []Field{{Name: "Content-Type", Value: "text/html"}}, Body: []byte("<html><head>" + head + "</head><form id=f action=\"" + action + "\">")}
	}
	redirect := func(to string) *Reply { return &Reply{Status: 302, Fields: []Field{{Name: "Location", Value: to}}} }

	for _, c := range []struct {
		what, login string
		answer      *Reply
		want        string // scheme://authority/path of the next step, "" for the login's own; or an error
	}{
		{"a path", byForm, page("", "/do"), "/do"},
		{"relative to the page", byForm, page("", "do"), "/auth/do"},
		{"a base", byForm, page(`<base href="/sso/">`, "do"), "/sso/do"},
		{"a base with a path from the root", byForm, page(`<base href="/sso/">`, "/do"), "/do"},
		{"a base and an empty action", byForm, page(`<base href="/sso/">`, ""), "/auth/start?x=1"},
		{"the first base counts", byForm, page(`<base target=_top><base href="/a/"><base href="/b/">`, "do"), "/a/do"},
		{"a base at another host", byForm, page(`<base href="https://evil.example/">`, "do"), "listed in neither"},
		{"a base that is not a URL", byForm, page(`<base href="http://[">`, "do"), "/auth/do"},
		{"http at the same host", byRedirect, redirect("http://app.example/home"), "/home"},
		{"http at port 80", byRedirect, redirect("http://app.example:80/home"), "/home"},
		{"http at another port", byRedirect, redirect("http://app.example:8080/home"), "not reached over https"},
		{"http at another host", byRedirect, redirect("http://evil.example/home"), "listed in neither"},
		{"an action with http", byForm, page("", "http://app.example/do"), "/do"},
	} {
		a := loadLogin(t, c.login)
		d := a.Login(alice, firstRequest)
		if _, err := d.Next(nil); err != nil {
			t.Fatal(err)
		}
		step, err := d.Next(c.answer)
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got the error %v, want %s", c.what, err, c.want)
		case err == nil && (step == nil || step.Scheme+step.Authority+step.Path != c.want):
			t.Errorf("%s: went to %+v, want %s", c.what, step, c.want)
		}
	}
}

// TestJSONIsReadAfterWhatServersPutBeforeIt: .NET writes a byte order mark, and Angular's servers a
// guard against inclusion as a script.
func TestJSONIsReadAfterWhatServersPutBeforeIt(t *testing.T) {
	for _, text := range []string{`{"data":{"token":"t"}}`, "\ufeff{\"data\":{\"token\":\"t\"}}", ")]}'\n{\"data\":{\"token\":\"t\"}}", ")]}',\n{\"data\":{\"token\":\"t\"}}", "\ufeff)]}'\n{\"data\":{\"token\":\"t\"}}", " \n{\"data\":{\"token\":\"t\"}}"} {
		got, found, err := selectJSON([]byte(text), "data.token")
		if err != nil || !found || got != "t" {
			t.Errorf("%q: got %q, found %v, error %v", text, got, found, err)
		}
	}
	for _, text := range []string{")]}", "\ufeff", ")]}'", "x{\"data\":{\"token\":\"t\"}}"} {
		if got, found, err := selectJSON([]byte(text), "data.token"); err == nil && found {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// TestCookiesOfAStepJoinTheJar: a script of the page may set a cookie that the application looks for.
func TestCookiesOfAStepJoinTheJar(t *testing.T) {
	a := loadLogin(t, `
  kind: form
  steps:
    - get: /login
      take: {test: {css: "meta[name=test]", attr: content}}
    - post: /login
      form: {u: "${username}", p: "${password}"}
      headers: {Cookie: "cookietest=${test}; tz=UTC; lang=en"}
  success: {status: 302}`)
	d := a.Login(alice, firstRequest)
	if _, err := d.Next(nil); err != nil {
		t.Fatal(err)
	}
	step, err := d.Next(&Reply{Status: 200, Body: []byte("<meta name=test content=7>"),
		Fields: []Field{{Name: "Set-Cookie", Value: "pre=1; Path=/"}, {Name: "Set-Cookie", Value: "lang=de; Path=/"}, {Name: "Set-Cookie", Value: "other=1; Path=/elsewhere"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fieldValue(step.Fields, "Cookie"), "pre=1; cookietest=7; tz=UTC; lang=en"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}
