package adapters

import (
	"strings"
	"testing"
	"time"
)

const identityLogin = `
  kind: form
  steps: [{post: /login, form: {u: "${username}", p: "${password}"}}]
  success: {status: [302], cookie: app_session}
  ended: [{redirect: "*/login*"}]
  identity: {get: /me, css: "#me", is: "${username|upper}", rotates: [page.preview]}
  logout: {steps: [{get: /logout}], check: /private}`

// sessionAfterLogin returns a session of identityLogin, made without an
// application.
func sessionAfterLogin(t *testing.T, a *Adapter) *Session {
	t.Helper()
	d := a.Login(account{"username": "agent-01", "password": "canary-password"}, nil)
	d.UseHost("https", "app.acme.example")
	if _, err := d.Next(nil); err != nil {
		t.Fatal(err)
	}
	step, err := d.Next(&Reply{Status: 302, Fields: []Field{{"Set-Cookie", "app_session=canary-session-1; Path=/"}, {"Location", "/"}}})
	if err != nil || step != nil {
		t.Fatalf("the login goes on with %v, error %v", step, err)
	}
	return d.Session()
}

func TestProbesSayWhoseASessionIs(t *testing.T) {
	a := loadLogin(t, identityLogin)
	redirect := []Field{{"Location", "/login?back=/me"}}
	for _, c := range []struct {
		name   string
		reply  Reply
		me, in Holder // by identity, and by logout.check
	}{
		{"the account", Reply{Status: 200, Body: []byte("<b id=me> AGENT-01\n</b>")}, HolderAccount, HolderAccount},
		{"in another case", Reply{Status: 200, Body: []byte("<b id=me>Agent-01</b>")}, HolderAccount, HolderAccount},
		{"somebody else", Reply{Status: 200, Body: []byte("<b id=me>alice</b>")}, HolderOther, HolderAccount},
		{"a longer name", Reply{Status: 200, Body: []byte("<b id=me>agent-01x</b>")}, HolderOther, HolderAccount},
		{"no such element", Reply{Status: 200, Body: []byte("<p>agent-01</p>")}, HolderNobody, HolderAccount},
		{"an empty element", Reply{Status: 200, Body: []byte("<b id=me></b>")}, HolderNobody, HolderAccount},
		{"a redirect to the login", Reply{Status: 302, Fields: redirect}, HolderNobody, HolderNobody},
		{"another redirect", Reply{Status: 302, Fields: []Field{{"Location", "/home"}}}, HolderNobody, HolderAccount},
		{"unauthorized", Reply{Status: 401}, HolderNobody, HolderNobody},
		{"forbidden", Reply{Status: 403}, HolderNobody, HolderAccount},
		{"an error", Reply{Status: 500, Body: []byte("<b id=me>agent-01</b>")}, HolderUnknown, HolderUnknown},
		{"too many requests", Reply{Status: 429}, HolderUnknown, HolderUnknown},
	} {
		s := sessionAfterLogin(t, a)
		for _, p := range []struct {
			probe *Probe
			path  string
			want  Holder
		}{{a.Probe(s), "/me", c.me}, {a.LogoutProbe(s.Copy()), "/private", c.in}} {
			step, err := p.probe.Step()
			if err != nil {
				t.Fatal(err)
			}
			if cookie := fieldValue(step.Fields, "Cookie"); step.Path != p.path || cookie != "app_session=canary-session-1" {
				t.Errorf("the probe asks %s with Cookie %q, want %s with the session", step.Path, cookie, p.path)
			}
			if got := p.probe.Judge(&c.reply); got != p.want {
				t.Errorf("%s: %s says holder %d, want %d", c.name, p.path, got, p.want)
			}
		}
	}
}

func TestProbesWorkAfterARestart(t *testing.T) {
	a := loadLogin(t, identityLogin)
	text, err := sessionAfterLogin(t, a).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Restore(text)
	if err != nil {
		t.Fatal(err)
	}
	p := a.Probe(s)
	if _, err := p.Step(); err != nil {
		t.Fatal(err)
	}
	if got := p.Judge(&Reply{Status: 200, Body: []byte("<b id=me>AGENT-01</b>")}); got != HolderAccount {
		t.Errorf("holder %d, want the account", got)
	}
}

func TestI2ChangesOfASessionAreNoticed(t *testing.T) {
	a := loadLogin(t, identityLogin)
	for _, c := range []struct {
		name, setCookie, action string
		want                    bool
	}{
		{"a new value", "app_session=canary-session-2; Path=/", "page.read", true},
		{"the same value", "app_session=canary-session-1; Path=/", "page.read", false},
		{"a deletion", "app_session=; Max-Age=0; Path=/", "page.read", false},
		{"on another path", "app_session=canary-session-2; Path=/x", "page.read", true},
		{"a name that the login did not set", "sso=canary-session-3; Path=/", "page.read", true},
		{"a short value that is no session", "tz=1; Path=/", "page.read", false},
		{"an action that rotates", "app_session=canary-session-2; Path=/", "page.preview", false},
	} {
		s := sessionAfterLogin(t, a)
		r := Outgoing{Host: "app.acme.example", Path: "/x", Method: "GET", TLS: true, Now: time.Now()}
		changed := a.Changed(a.Put(s, &r), []Field{{"Set-Cookie", c.setCookie}}, c.action)
		if got := changed != nil; got != c.want {
			t.Errorf("%s: noticed %v, want %v", c.name, got, c.want)
		}
		if cookies := s.jar.Cookies(); len(cookies) != 1 || cookies[0].Value != "canary-session-1" {
			t.Errorf("%s: the session itself has changed: %v", c.name, cookies)
		}
	}
}

func TestIdentityIsChecked(t *testing.T) {
	for name, c := range map[string]struct{ login, want string }{
		"no page":        {"{css: \"#me\"}", "names no page"},
		"no place":       {"{get: /me}", "take has exactly one of"},
		"a secret":       {"{get: /me, css: \"#me\", is: \"${password}\"}", "${password} is not kept after the login"},
		"a bad selector": {"{get: /me, css: \"#\"}", "selector \"#\" is not understood"},
	} {
		text := "name: app\nhosts: [app.acme.example]\ninterim: {reason: r, owner: o, review_by: 2099-01-01}\nactions: [{name: a, match: {path: /a}}]\n" +
			"login:\n  kind: form\n  steps: [{post: /login, form: {p: \"${password}\"}}]\n  success: {status: [302]}\n  identity: " + c.login + "\n"
		_, err := Load([]Source{{Name: "a.yaml", Text: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
