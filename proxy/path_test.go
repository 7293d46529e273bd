package proxy

import (
	"strings"
	"testing"
)

func TestI2AmbiguousPathsAreRefused(t *testing.T) {
	for _, c := range []struct {
		path, reason string // reason is a part of it; empty for a path that is not ambiguous
	}{
		{"/", ""},
		{"*", ""},
		{"/index.php", ""},
		{"/wiki/Main_Page", ""},
		{"/a/b/", ""},
		{"/caf%C3%A9", ""},
		{"/a%20b", ""},
		{"/.well-known/x", ""},
		{"/...", ""},
		{"/a.b/..c", ""},
		{"/~alice/a:b@c,d+e", ""},
		{"/caf%E9", ""},
		{"/%C0%20la%20carte", ""},
		{"/%E2%82%AC", ""},

		{"", "does not begin"},
		{"index.php", "does not begin"},
		{"/a//b", "empty segment"},
		{"//a", "empty segment"},
		{"/a/./b", "dot segment"},
		{"/a/../b", "dot segment"},
		{"/..", "dot segment"},
		{"/a/.", "dot segment"},
		{"/a/%2e%2e/b", "hides a dot"},
		{"/a/.%2E/b", "hides a dot"},
		{"/%2f", "hides a slash"},
		{"/a%5cb", "hides a slash"},
		{"/a\\b", "backslash"},
		{"/a;jsessionid=1", "path parameter"},
		{"/a%3bb", "hides a delimiter"},
		{"/a%3Fb", "hides a delimiter"},
		{"/a%23", "hides a delimiter"},
		{"/a%252e", "twice"},
		{"/a%00", "control byte"},
		{"/a%0d%0aX: y", "control byte"},
		{"/a%7f", "control byte"},
		{"/a/%c0%ae%c0%ae/b", "longer than it must be"},
		{"/a%C1%9Cb", "longer than it must be"},
		{"/a%e0%80%af", "longer than it must be"},
		{"/a%f0%80%80%af", "longer than it must be"},
		{"/a b", "space"},
		{"/a\x00b", "control byte"},
		{"/a#b", "fragment"},
		{"/a?b", "question mark"},
		{"/a%", "encodes nothing"},
		{"/a%2", "encodes nothing"},
		{"/a%zz", "encodes nothing"},
		{"/a%u002f", "encodes nothing"},
		{"/caf\xc3\xa9", "outside ASCII"},
		{"/\xc0\xaf", "outside ASCII"},
	} {
		got := ambiguousPath(c.path, "")
		if (got == "") != (c.reason == "") || !strings.Contains(got, c.reason) {
			t.Errorf("ambiguousPath(%q) is %q, want %q", c.path, got, c.reason)
		}
	}
}

func TestCanonicalAuthority(t *testing.T) {
	for _, c := range []struct{ authority, scheme, want string }{
		{"wiki.acme.example", "https", "wiki.acme.example:443"},
		{"wiki.acme.example", "http", "wiki.acme.example:80"},
		{"WIKI.acme.example.:443", "https", "wiki.acme.example:443"},
		{"wiki.acme.example:8443", "https", "wiki.acme.example:8443"},
		{"[::1]", "https", "[::1]:443"},
		{"[::1]:8443", "https", "[::1]:8443"},
		{"::1", "https", ""},
		{"", "https", ""},
		{":443", "https", ""},
	} {
		if got := canonicalAuthority(c.authority, c.scheme); got != c.want {
			t.Errorf("canonicalAuthority(%q, %s) is %q, want %q", c.authority, c.scheme, got, c.want)
		}
	}
}

// TestI11EscapesThatAreData: an adapter may take escapes as data, but not what decodes twice.
func TestI11EscapesThatAreData(t *testing.T) {
	for _, c := range []struct {
		path, data string
		refused    bool
	}{
		{"/p/a%2Fb", "/", false}, {"/p/a%2fb", "/", false}, {"/p/a%2Fb", "", true}, {"/p/a%2Fb", "#%;?", true}, {"/p/%2F/q", "/", false},
		{"/p/100%25", "%", false}, {"/p/100%25", "", true}, {"/p/100%25%20done", "%", false}, {"/p/a%252Fb", "/%", true}, {"/p/a%252e", "/%", true}, {"/p/a%25zz", "%", false}, {"/p/a%2541", "%", true},
		{"/p/C%23", "#", false}, {"/p/C%23", "/", true}, {"/p/what%3F", "?", false}, {"/p/a%3Bb", ";", false}, {"/p/a%5Cb", "/#%;?", true}, {"/p/a%2Eb", "/#%;?", true}, {"/p/a%00", "/#%;?", true}, {"/p/a;b", ";", true}, {"/p/a?b", "?", true},
	} {
		if why := ambiguousPath(c.path, c.data); (why != "") != c.refused {
			t.Errorf("%s with the data %q: got %q, want refused %v", c.path, c.data, why, c.refused)
		}
	}
}
