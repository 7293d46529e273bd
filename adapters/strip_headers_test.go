package adapters

import (
	"strings"
	"testing"
)

func TestI2StripHeaders(t *testing.T) {
	a := small(func(s *Spec) {
		s.Headers = HeaderSpec{Strip: []string{"X-Odd", "X-Both"}, Pass: []string{"X-Auth-Mode", "x_both"}}
		s.Login.Header = "X-Ours"
	})
	for _, c := range []struct {
		name, value string
		passes      bool
	}{
		// Names that carry no credential.
		{"Accept", "text/html", true}, {"User-Agent", "x", true}, {"Origin", "https://app.example", true},
		{"X-CSRF-Token", "t", true}, {"X-XSRF_TOKEN", "t", true}, {"Sec-WebSocket-Key", "k", true}, {"Sec-Fetch-Site", "same-origin", true},

		// Names of credentials, in any spelling.
		{"X-Authorization", "x", false}, {"aUTHORIZATION", "x", false}, {"X_Auth_Token", "x", false},
		{"X-Session-Id", "x", false}, {"Api_Key", "x", false}, {"DPoP", "x", false}, {"X-Forwarded-User", "root", false}, {"Forwarded", "for=1", false},
		{"Remote_User", "root", false}, {"X-SSL-Client-Cert", "x", false}, {"X-Amz-Security-Token", "x", false}, {"X-JWT-Assertion", "x", false},
		{"X-Password", "x", false}, {"Proxy-Authorization", "x", false}, {"Cookie2", "$Version=1", false},
		{strings.Repeat("Long-", 40) + "Token", "x", false},

		// What the adapter says: headers.strip wins over headers.pass.
		{"X-Auth-Mode", "form", true}, {"x_odd", "x", false}, {"X-Both", "x", false}, {"X-Ours", "x", false},

		// Credentials under harmless names.
		{"X-Plain", "Bearer abc", false}, {"X-Plain", "bAsic abc", false}, {"X-Plain", "eyJh.eyJi.c", false},
		{"X-CSRF-Token", "Bearer abc", false}, {"Accept-Language", "basic", true}, {"Accept-Language", "Bearer\tabc", false},
		{"User-Agent", "x Bearer abc", true}, {"User-Agent", "ghp_0123456789abcdefABCD", false}, {"If-Match", "\"eyJhbGciOiJIUzI1NiJ9.e30.c2ln\"", false},

		// Names that nothing lists.
		{"X-Plain", "basic", false}, {"SM_USER", "alice", false}, {"iv-creds", "x", false}, {"X-MS-CLIENT-PRINCIPAL", "x", false}, {"X-JFrog-Art-Api", "x", false},
		{"X-Gotify-Key", "x", false}, {"X-Redmine-Switch-User", "x", false}, {"Sudo", "x", false}, {"X-CSRF-Session", "x", false}, {"From", "alice@acme.example", false},
		{"X-Request-Id", "x", false}, {"Signature", "x", false}, {"Signature-Input", "x", false}, {"Signature-Agent", "x", false}, {"X-Http-Method", "DELETE", false},

		// Names with few values.
		{"X-Atlassian-Token", "no-check", true}, {"X-Atlassian-Token", "nocheck", true}, {"x_atlassian_token", "abc", false},
	} {
		out, _, removed := a.Strip(nil, []Field{{Name: c.name, Value: c.value}})
		if passes := len(out) == 1; passes != c.passes || len(out)+len(removed) != 1 {
			t.Errorf("%s: %s: %d fields go on and %d are removed, want that it goes on: %v", c.name, c.value, len(out), len(removed), c.passes)
		}
	}
}

func TestI2SignaturesPassOrGoTogether(t *testing.T) {
	all := []Field{{"Signature", "s=:YQ==:"}, {"Accept", "*/*"}, {"Signature-Input", "s=()"}, {"Signature-Agent", "\"https://agent.example\""}}
	for _, c := range []struct {
		what        string
		pass, strip []string
		in          []Field
		want        int
	}{
		{"without a key", nil, nil, all, 1},
		{"with one passed", []string{"signature-input"}, nil, all, 4},
		{"with one passed and one stripped", []string{"Signature"}, []string{"Signature-Agent"}, all, 1},
		{"with one passed and Signature-Input missing", []string{"Signature"}, nil, []Field{all[0], all[1], all[3]}, 1},
	} {
		a := small(func(s *Spec) { s.Headers = HeaderSpec{Pass: c.pass, Strip: c.strip} })
		out, _, removed := a.Strip(nil, c.in)
		if len(out) != c.want || len(removed) != len(c.in)-c.want {
			t.Errorf("%s %d fields go on and %d are removed, want %d to go on", c.what, len(out), len(removed), c.want)
		}
	}
}

func TestI2TrailersByAllowList(t *testing.T) {
	a := small(func(s *Spec) { s.Headers.Pass = []string{"X-Check"} })
	out, removed := a.StripTrailers([]Field{{"X-Check", "1"}, {"Content-Digest", "sha-256=:YQ==:"}, {"Accept", "*/*"}, {"X-Api-Key", "k"}, {"Cookie", "csrftoken=1"}, {"Digest", "Bearer x"}})
	if len(out) != 2 || len(removed) != 4 || removed[0].In != "trailer" {
		t.Errorf("%v go on, %d are removed; want X-Check and Content-Digest to go on", out, len(removed))
	}
}

func TestI2SessionInPathIsCut(t *testing.T) {
	for path, want := range map[string]string{
		"/p/2;jsessionid=abc": "/p/2", "/p;JSESSIONID=a/2": "/p/2", "/p/2;jsessionid=****": "/p/2", "/p;v=1;jsessionid=a;w=2": "/p;v=1;w=2",
		"/p;jsessionid=": "/p", "/p;jsessionid": "/p;jsessionid", "/p;a=b": "/p;a=b", "/p": "/p", "/a/..;jsessionid=x/b": "/a/../b", "/;jsessionid=a;jsessionid=b": "/",
		"/p%3Bjsessionid=a": "/p%3Bjsessionid=a",
	} {
		got, removed := StripPath(path)
		if got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
		if wasMask := strings.Contains(path, "*"); len(removed) > 0 && wasMask {
			t.Errorf("%s: a mask is on record as borrowed", path)
		}
	}
}

func TestI2StripReferer(t *testing.T) {
	for value, want := range map[string]string{
		"https://app.example/a?b=1":                "https://app.example/a?b=1",
		"https://app.example/a?sid=1&b=1":          "https://app.example/a?b=1",
		"https://app.example/a?sid=1":              "https://app.example/a",
		"https://u:p@app.example/a":                "https://app.example/a",
		"https://app.example/#access_token=1":      "https://app.example/",
		"https://app.example/a?b=1#access_token=1": "https://app.example/a?b=1",
		"https://app.example/a?accessToken=1&b=1":  "https://app.example/a?b=1",
		"https://app.example/a;jsessionid=x?b=1":   "https://app.example/a?b=1",
		"https://app.example/a;jsessionid=x":       "https://app.example/a",
		"https://app.example/a?b=eyJh.eyJi.c":      "https://app.example/a",
		"https://app.example/a?token=****":         "https://app.example/a?token=****",
	} {
		out, _, _ := small(nil).Strip(nil, []Field{{Name: "Referer", Value: value}})
		if len(out) != 1 || out[0].Value != want {
			t.Errorf("Referer %s became %v, want %s", value, out, want)
		}
	}
}
