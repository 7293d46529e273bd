package adapters

import (
	"strings"
	"testing"
)

func TestI7WhereTestsTheWholeValue(t *testing.T) {
	a := loadActions(t, "",
		`name: read, match: {method: GET, path: ["/wiki/{page...}", /wiki], query: {id: ["{page}", ""]}, where: {page: "[a-z0-9_]+(:[a-z0-9_]+)*"}}, resource: "page/{page}"`,
		`name: odd, privileged: true, match: {method: GET, path: "/wiki/{page...}"}, resource: odd`)
	for target, want := range map[string]string{
		"/wiki?id=start": "read page/start", "/wiki?id=a:b": "read page/a:b", "/wiki?id=Start": "refused", "/wiki?id=:start": "refused",
		"/wiki?id=start%0a": "refused", "/wiki?id=st%C3%A4rt": "refused", "/wiki/start": "read page/start", "/wiki/Start": "odd odd !", "/wiki": "refused", // nothing binds page
	} {
		path, query, _ := strings.Cut(target, "?")
		if got := verdictOf(a, Query{Method: "GET", Path: path, RawQuery: query}); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestI7KeysListsAllKeysOfAnObject(t *testing.T) {
	a := loadActions(t, "",
		`name: enable, match: {method: POST, path: /rpc, json: {method: host.update, params.hostid: "{id}"}, keys: {params: [hostid, status], params.tags: []}, only: [id]}, resource: "host/{id}"`,
		`name: note, match: {method: POST, path: /note, batch: true, keys: {"": [note, "x_*"]}}`)
	for _, c := range []struct{ path, body, want string }{
		{"/rpc", `{"method":"host.update","params":{"hostid":7,"status":0},"id":1}`, "enable host/7"},
		{"/rpc", `{"method":"host.update","params":{"hostid":7,"status":0,"name":"x"}}`, "refused"},
		{"/rpc", `{"method":"host.update","params":{"hostid":7,"tags":[]}}`, "refused"},
		{"/rpc", `{"method":"host.update","params":[{"hostid":7}]}`, "refused"},
		{"/note", `{"note":"a","x_1":2}`, "note"},
		{"/note", `[{"note":"a"},{"note":"b"}]`, "note"},
		{"/note", `[{"note":"a"},{"role":"b"}]`, "refused"},
		{"/note", `{"role":"admin"}`, "refused"},
		{"/note", `["note"]`, "refused"},
		{"/note", ``, "note"},
	} {
		if got := verdictOf(a, Query{Method: "POST", Path: c.path, ContentType: "application/json", Body: []byte(c.body)}); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
}

// An action that certainly does not match keeps no other action from being tried, whatever is in doubt about it.
func TestI7ACertainDifferenceOutweighsADoubt(t *testing.T) {
	a := loadActions(t, "",
		`name: login, login: true, match: {method: POST, path: /doc, param: {id: start, do: login}}`,
		`name: edit, match: {method: POST, path: /doc, query: {id: "{id}"}, form: {id: "{id}"}}, resource: "doc/{id}"`)
	for body, want := range map[string]string{
		"id=7": "edit doc/7", "id=7&do=edit": "edit doc/7", "id=8": "refused",

		// The same value in both places is one value, and it is not start.
		"id=7&do=login": "edit doc/7", "id=7&do=edit&do=login": "edit doc/7",
	} {
		if got := verdictOf(a, Query{Method: "POST", Path: "/doc", RawQuery: "id=7", ContentType: formType, Body: []byte(body)}); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
