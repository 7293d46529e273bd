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
		{"X-CSRF-Token", "Bearer abc", false}, {"X-Plain", "basic", true},
	} {
		out, _, removed := a.Strip(nil, []Field{{Name: c.name, Value: c.value}})
		if passes := len(out) == 1; passes != c.passes || len(out)+len(removed) != 1 {
			t.Errorf("%s: %s: %d fields go on and %d are removed, want that it goes on: %v", c.name, c.value, len(out), len(removed), c.passes)
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
	} {
		out, _, _ := small(nil).Strip(nil, []Field{{Name: "Referer", Value: value}})
		if len(out) != 1 || out[0].Value != want {
			t.Errorf("Referer %s became %v, want %s", value, out, want)
		}
	}
}
