package adapters

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
)

// small is an adapter without its checks: what the runtime needs of one.
func small(change func(*Spec)) *Adapter {
	a := &Adapter{spec: Spec{Name: "small", Hosts: []string{"app.example"},
		Cookies: CookieSpec{Hold: []string{"*_session"}, Pass: []string{"csrftoken", "ui_*"}}}}
	if change != nil {
		change(&a.spec)
	}
	return a
}

func TestI2StripHeaders(t *testing.T) {
	a := small(func(s *Spec) {
		s.Headers = HeaderSpec{Strip: []string{"X-Odd", "X-Both"}, Pass: []string{"X-Auth-Mode", "x_both"}}
		s.Login.Header = "X-Ours"
	})
	for _, c := range []struct {
		name, value string
		passes      bool
	}{
		{"Accept", "text/html", true}, {"User-Agent", "x", true}, {"Origin", "https://app.example", true},
		{"X-CSRF-Token", "t", true}, {"X-XSRF_TOKEN", "t", true}, {"Sec-WebSocket-Key", "k", true}, {"Sec-Fetch-Site", "same-origin", true},
		{"X-Auth-Mode", "form", true}, {"X-Authorization", "x", false}, {"aUTHORIZATION", "x", false}, {"X_Auth_Token", "x", false},
		{"X-Session-Id", "x", false}, {"Api_Key", "x", false}, {"DPoP", "x", false}, {"X-Forwarded-User", "root", false}, {"Forwarded", "for=1", false},
		{"Remote_User", "root", false}, {"X-SSL-Client-Cert", "x", false}, {"X-Amz-Security-Token", "x", false}, {"X-JWT-Assertion", "x", false},
		{"X-Password", "x", false}, {"x_odd", "x", false}, {"X-Both", "x", false}, {"X-Ours", "x", false}, {"Proxy-Authorization", "x", false},
		{"Cookie2", "$Version=1", false}, {"X-Plain", "Bearer abc", false}, {"X-Plain", "bAsic abc", false}, {"X-Plain", "eyJh.eyJi.c", false},
		{"X-Plain", "basic", true},
		{"X-CSRF-Token", "Bearer abc", false}, {strings.Repeat("Long-", 40) + "Token", "x", false},
	} {
		out, _, left := a.Strip(nil, []Field{{Name: c.name, Value: c.value}})
		if got := len(out) == 1; got != c.passes || len(left)+len(out) != 1 {
			t.Errorf("%s: %s passes = %v, left behind %d", c.name, c.value, got, len(left))
		}
	}
}

func TestI2StripCookies(t *testing.T) {
	a := small(nil)
	in := []Field{{Name: "Cookie", Value: "csrftoken=a; wiki_session=b;ui_x=\"q\"; other=1;;  ui_y = 2; ui_z=a b"},
		{Name: "cOOKIE", Value: "csrftoken=c, wiki_session=d; UI_SESSION=e; ui_session=f; ui.session=g; $ui_a=1; =x; ui_%73=2; ui_ok="}}
	out, cookies, left := a.Strip(nil, in)
	if len(out) != 0 {
		t.Error("a Cookie field went on unparsed")
	}
	if got := fmt.Sprint(cookies); got != `[{csrftoken a} {ui_x "q"} {ui_ok }]` {
		t.Errorf("passed %s", got)
	}
	if len(left) != 11 {
		t.Errorf("%d left behind: %v", len(left), left)
	}
}

func TestI2PassNeverBeatsHold(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Pass = []string{"*"} })
	_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: "a_session=1; A_Session=2; a.session=3; a%5fsession=4; $a=5; b=6"}})
	if fmt.Sprint(cookies) != "[{b 6}]" {
		t.Errorf("passed %v", cookies)
	}
}

func TestI2StripQuery(t *testing.T) {
	a := small(func(s *Spec) { s.Query.Strip = []string{"*Pass*"} })
	for _, c := range []struct{ in, out string }{
		{"", ""}, {"a=1&b=2", "a=1&b=2"}, {"a=%zz&&;b", "a=%zz&&;b"},
		{"a=1&access_token=x&b=2", "a=1&b=2"}, {"PHPSESSID=x", ""}, {"a=1&jsessionid=x", "a=1"}, {"a=1;sid=2;b=3", "a=1;b=3"},
		{"%61ccess_token=x&b=1", "b=1"}, {"access.token=x&b=1", "b=1"}, {"Api-Key=x&b=1", "b=1"}, {"api_key[]=x&b=1", "b=1"},
		{"access_token%00=x&b=1", "b=1"}, {"user_password2=x&b=1", "b=1"}, {"b=1&%zz=x", "b=1"}, {"+sid=1&b=2", "b=2"},
	} {
		out, left := a.StripQuery(c.in)
		if out != c.out {
			t.Errorf("%q gave %q, not %q", c.in, out, c.out)
		}
		if (len(left) > 0) != (c.in != c.out) {
			t.Errorf("%q left %d behind", c.in, len(left))
		}
	}
}

func TestI2QueryPassIsExactAndLoses(t *testing.T) {
	a := small(func(s *Spec) {
		s.Query = QuerySpec{Pass: []string{"sid", "auth", "key"}, Strip: []string{"ke*"}}
		s.Login.Query = map[string]string{"auth": "${token}"}
	})
	for in, want := range map[string]string{
		"sid=1&a=2": "sid=1&a=2", "s%69d=1": "s%69d=1", "SID=1&a=2": "a=2", "sid[]=1&a=2": "a=2", "+sid=1&a=2": "a=2", "sid%00=1&a=2": "a=2",
		"auth=1&a=2": "a=2", "key=1&a=2": "a=2", "session=1&sid=2": "sid=2",
	} {
		if out, _ := a.StripQuery(in); out != want {
			t.Errorf("%s: %s, want %s", in, out, want)
		}
	}
}

func TestI2Referer(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"https://app.example/a?b=1", "https://app.example/a?b=1"}, {"https://app.example/a?sid=1&b=1", "https://app.example/a?b=1"},
		{"https://app.example/a?sid=1", "https://app.example/a"}, {"https://u:p@app.example/a", "https://app.example/a"},
		{"https://app.example/#access_token=1", "https://app.example/"}, {"https://app.example/a?b=1#access_token=1", "https://app.example/a?b=1"},
	} {
		out, _, _ := small(nil).Strip(nil, []Field{{Name: "Referer", Value: c.in}})
		if out[0].Value != c.out {
			t.Errorf("%s gave %s", c.in, out[0].Value)
		}
	}
}

// FuzzCookies asks a second, naive reader: whatever the agent sends, no name outside pass reaches the SaaS.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{"csrftoken=1; x_session=2", "ui_a=\"b; x_session=1\"", "ui_=a,x_session=b", ";;=;a=;\x00", "ui_a=b\r\nCookie: x=1"} {
		f.Add(s)
	}
	a := small(nil)
	f.Fuzz(func(t *testing.T, header string) {
		_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: header}})
		s := &Session{sessionState: &sessionState{}}
		for _, field := range a.putFields(nil, s, cookies, "app.example", "/", true, time.Time{}) {
			if strings.ContainsAny(field.Value, "\r\n\x00") {
				t.Fatalf("a line break went on: %q", field.Value)
			}
			for _, pair := range strings.FieldsFunc(field.Value, func(r rune) bool { return r == ';' || r == ',' }) {
				name := strings.TrimSpace(strings.Split(pair, "=")[0])
				if name != "csrftoken" && !strings.HasPrefix(name, "ui_") || strings.HasSuffix(name, "_session") {
					t.Fatalf("%q passed as %q", name, header)
				}
			}
			for _, c := range (&http.Request{Header: http.Header{"Cookie": {field.Value}}}).Cookies() {
				if c.Name != "csrftoken" && !strings.HasPrefix(c.Name, "ui_") {
					t.Fatalf("net/http reads %q", c.Name)
				}
			}
		}
	})
}

// FuzzStrip: no credential header survives, however it is spelled.
func FuzzStrip(f *testing.F) {
	f.Add("Authorization", "Bearer x", "access_token=1&a=2")
	f.Add("X_aUtH_Token", "x", "a;%73id=1")
	f.Add("Accept", "text/html", "a=1")
	a := small(nil)
	f.Fuzz(func(t *testing.T, name, value, query string) {
		out, _, _ := a.Strip(nil, []Field{{Name: name, Value: value}})
		for _, field := range out {
			n := strings.ReplaceAll(strings.ToLower(field.Name), "_", "-")
			for _, bad := range []string{"authorization", "cookie", "session", "token", "secret", "password", "jwt", "forwarded"} {
				if strings.Contains(n, bad) && !strings.Contains(n, "csrf") && !strings.Contains(n, "xsrf") && !strings.HasPrefix(n, "sec-fetch-") && !strings.HasPrefix(n, "sec-websocket-") {
					t.Fatalf("%q passed", field.Name)
				}
			}
			if strings.HasPrefix(strings.ToLower(field.Value), "bearer ") && n != "referer" && len(field.Value) > 7 {
				t.Fatalf("the value of %q passed", field.Name)
			}
		}
		clean, left := a.StripQuery(query)
		if len(left) == 0 && clean != query {
			t.Fatal("a query changed though nothing was removed")
		}
		for _, pair := range strings.FieldsFunc(clean, func(r rune) bool { return r == '&' || r == ';' }) {
			switch strings.ToLower(strings.Split(pair, "=")[0]) {
			case "access_token", "sid", "phpsessid", "jsessionid", "api_key":
				t.Fatalf("%q passed in %q", pair, query)
			}
		}
	})
}

func TestI1NothingPrints(t *testing.T) {
	const canary = "canary-7f3a9b"
	s := &Session{sessionState: &sessionState{headers: []Field{{Name: "A", Value: canary}}, secrets: []string{canary}, taken: map[string]string{"x": canary}}}
	s.jar.Replace([]cookie.Cookie{{Name: "c", Value: canary}})
	d := &Dialogue{dialogueState: &dialogueState{a: small(nil), session: s, agent: canary}}
	values := []any{NewSecret(canary), Borrowed{Value: NewSecret(canary)}, s, d, Step{Body: []byte(canary), Path: canary}, &Step{Path: canary},
		Reply{Body: []byte(canary)}, Outgoing{Path: canary}, &Outgoing{Body: []byte(canary)}, *s, *d, struct{ b Borrowed }{Borrowed{Value: NewSecret(canary)}}, struct{ s *Session }{s}, struct{ d *Dialogue }{d}}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", canary)) {
				t.Errorf("%T prints under %s", v, verb)
			}
		}
		if text, err := json.Marshal(v); err != nil || strings.Contains(string(text), canary) {
			t.Errorf("%T in JSON: %s %v", v, text, err)
		}
	}
}
