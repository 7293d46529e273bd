package adapters

import (
	"strings"
	"testing"
)

func TestI7PathsAreReadAsWindowsReadsThem(t *testing.T) {
	a := loadActions(t, "paths: {fold: true}\n",
		`name: edit, match: {method: POST, path: "/Page.aspx"}`,
		`name: admin, privileged: true, match: {path: "/Admin/**"}`,
		`name: other, match: {path: "/{x}/{y}"}`)

	for path, want := range map[string]string{
		"/page.ASPX":         "edit",
		"/page.aspx.":        "refused", // Windows drops the dot
		"/page.aspx::$DATA":  "refused", // the content of the file itself
		"/ADMIN/x":           "admin !",
		"/admin%20/x":        "refused",
		"/admin./x":          "refused",
		"/public/page":       "other",
		"/public/page%2easp": "other",
	} {
		if got := verdictOf(a, Query{Method: "POST", Path: path}); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestI7PathsThatTwoServersReadDifferently(t *testing.T) {
	a := loadActions(t, "", `name: all, match: {path: "/**"}`)

	for path, want := range map[string]string{
		"/": "all", "/a/b": "all", "/caf%C3%A9": "all", "/a%20b": "all", "/.well-known/x": "all", "/a..b/...": "all",
		"": "refused", "a": "refused", "/a%2fb": "refused", "/a;b": "refused", "/a%3bb": "refused", "/a//b": "refused", "/a/../b": "refused",
		"/a/%2e%2e/b": "refused", "/a/.": "refused", "/a\\b": "refused", "/a%00": "refused", "/a%": "refused", "/a%ff": "refused", "/a%E2%80%8B": "refused",
	} {
		if got := verdictOf(a, Query{Method: "GET", Path: path}); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

func TestI7BodiesInAContentCodingAreNotRead(t *testing.T) {
	a := loadActions(t, "",
		`name: edit, match: {method: POST, path: /page, form: {do: ["", save]}}`,
		`name: call, match: {method: POST, path: /rpc, json: {do: save}}`)

	for _, c := range []struct{ path, ctype, coding, body, want string }{
		{"/page", formType, "gzip", "do=save", "refused"},
		{"/page", formType, "identity", "do=save", "edit"},
		{"/page", formType, "gzip", "", "edit"},
		{"/rpc", "application/json", "br", `{"do": "save"}`, "refused"},
		{"/rpc", "application/json", "identity", `{"do": "save"}`, "call"},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: c.ctype, Body: []byte(c.body), Fields: []Field{{Name: "content-encoding", Value: c.coding}}}
		if got := strings.TrimSuffix(verdictOf(a, q), " !"); got != c.want {
			t.Errorf("%s %q %q: got %q, want %q", c.path, c.coding, c.body, got, c.want)
		}
	}
}
