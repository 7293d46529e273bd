package reports

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
)

func TestBrowserCall(t *testing.T) {
	for _, c := range []struct {
		kind, method, host, path, want string
	}{
		{"refusal", "CONNECT", "update.googleapis.com:443", "", "update.googleapis.com"},
		{"refusal", "CONNECT", "Firefox.Settings.services.mozilla.com.:443", "", "firefox.settings.services.mozilla.com"},
		{"refusal", "GET", "wiki.acme.example:443", "/favicon.ico", "/favicon.ico"},
		{"refusal", "GET", "wiki.acme.example", "/apple-touch-icon-120x120.png", "/apple-touch-icon"},
		{"intent", "GET", "wiki.acme.example", "/favicon.ico", ""},
		{"refusal", "POST", "wiki.acme.example", "/favicon.ico", ""},
		{"refusal", "OPTIONS", "wiki.acme.example", "/api/pages/5", preflight},
		{"intent", "OPTIONS", "wiki.acme.example", "/api/pages/5", ""},
		{"refusal", "DELETE", "wiki.acme.example", "/api/pages/5", ""},
		{"refusal", "GET", "wiki.acme.example", "/favicon.ico/edit", ""},
		{"refusal", "GET", "wiki.acme.example", "/apple-touch-icon/../admin", ""},
		{"refusal", "GET", "wiki.acme.example", "/index.php", ""},
		{"refusal", "CONNECT", "evilupdate.googleapis.com.example:443", "", ""},
		{"refusal", "CONNECT", "notaccounts.google.com:443", "", ""},
		{"refusal", "CONNECT", "www.google.com:443", "", ""},
	} {
		r := &audit.Record{Kind: c.kind, Method: c.method, Host: c.host, Path: c.path}
		if got := BrowserCall(r); got != c.want {
			t.Errorf("%s %s %s%s: got %q, want %q", c.kind, c.method, c.host, c.path, got, c.want)
		}
	}
}
