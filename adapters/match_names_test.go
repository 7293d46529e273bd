package adapters

import (
	"strings"
	"testing"
)

// What PHP and Rails read as a part of issue is apart from its other parts, and from nothing else.
func TestI7NestedNamesAreApart(t *testing.T) {
	a := loadActions(t, "method_override: {param: _method}\n",
		`name: move, privileged: true, match: {method: PATCH, path: /issue, form: {"issue[project]": "*"}}`,
		`name: edit, match: {method: PATCH, path: /issue, only: [token, "issue[*"]}`,
		`name: save, match: {method: POST, path: /page, form: {"do[save]": "*", do: ""}}`,
		`name: show, match: {method: POST, path: /page, form: {do: ["", show], "do[save]": ""}}`)
	for _, c := range []struct{ path, body, want string }{
		{"/issue", "issue[notes]=x&issue[custom][7]=y&token=t", "edit"},
		{"/issue", "issue[notes]=x&issue[notes]=y", "edit"}, // a hidden field and its checkbox
		{"/issue", "issue[notes]=x&issue[project]=2", "move !"},
		{"/issue", "issue%5Bnotes%5D=x&issue%5Bproject%5D=2", "move !"},
		{"/issue", "issue[notes]=x&issue[project][]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[project][x]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[Project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[project(1i)]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[ project ]=2", "refused"},
		{"/issue", "issue[notes]=x&Issue[project]=2", "refused"},
		{"/issue", "issue[notes]=x&+issue[project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[]=2", "refused"},
		{"/issue", "issue[notes]=x&issue=2", "refused"},
		{"/issue", "issue[notes]=x&issue[project=2", "refused"},
		{"/issue", "issue[notes]=x&issue[project]]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[[project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[notes]project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue[project%00]=2", "refused"},
		{"/page", "do[save]=1", "save"},
		{"/page", "do=show", "show"},
		{"/page", "do[save]=1&do=show", "refused"},
		{"/page", "do[delete]=1", "refused"},
		{"/page", "do[save]=1&do[delete]=1", "refused"},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: formType, Body: []byte(c.body)}
		if strings.HasPrefix(c.path, "/issue") {
			q.Body = append(q.Body, "&_method=patch"...)
		}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
}

func TestI7Where(t *testing.T) {
	a := loadActions(t, "",
		`name: read, match: {method: GET, path: ["/wiki/{page...}", /wiki], query: {id: ["{page}", ""]}, where: {page: "[a-z0-9_]+(:[a-z0-9_]+)*"}}, resource: "page/{page}"`,
		`name: odd, privileged: true, match: {method: GET, path: "/wiki/{page...}"}, resource: odd`)
	for target, want := range map[string]string{
		"/wiki?id=start": "read page/start", "/wiki?id=a:b": "read page/a:b", "/wiki?id=Start": "refused", "/wiki?id=:start": "refused",
		"/wiki?id=start%0a": "refused", "/wiki?id=st%C3%A4rt": "refused", "/wiki/start": "read page/start", "/wiki/Start": "odd odd !", "/wiki": "read page/",
	} {
		path, query, _ := strings.Cut(target, "?")
		if got := verdictOf(a, Query{Method: "GET", Path: path, RawQuery: query}); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestI7Keys(t *testing.T) {
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

// A rule that certainly does not hold keeps nobody from the next one.
func TestI7DoubtBesideWhatCertainlyDiffers(t *testing.T) {
	a := loadActions(t, "",
		`name: login, login: true, match: {method: POST, path: /doc, param: {id: start, do: login}}`,
		`name: edit, match: {method: POST, path: /doc, query: {id: "{id}"}, form: {id: "{id}"}}, resource: "doc/{id}"`)
	for body, want := range map[string]string{
		"id=7": "edit doc/7", "id=7&do=edit": "edit doc/7", "id=7&do=login": "refused", "id=8": "refused", "id=7&do=edit&do=login": "refused",
	} {
		if got := verdictOf(a, Query{Method: "POST", Path: "/doc", RawQuery: "id=7", ContentType: formType, Body: []byte(body)}); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

const oneDoor = `name: rpc
hosts: [rpc.example]
interim: {reason: test, owner: o@rpc.example, review_by: 2030-01-01}
login:
  kind: json
  steps: [{post: /rpc, json: {method: user.login, params: {user: "${username}", password: "${password}"}}, take: {token: {json: result}}}]
  success: {status: 200, not_body: error}
  json: {auth: "${token}"}
actions:
`

// Where one path takes every call, the adapter says which of them is a login; what it does not say stays refused.
func TestI2ALoginAmongTheCallsOfOnePath(t *testing.T) {
	const login = "  - {name: login, login: true, match: {method: POST, path: /rpc, json: {method: \"user.log*\"}}}\n"
	const read = "  - {name: read, safe: true, match: {method: POST, path: /rpc, json: {method: host.get}}, resource: hosts}\n"
	set, err := Load([]Source{{Name: "rpc.yaml", Text: []byte(oneDoor + login + read)}})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"method":"host.get"}`: "read hosts", `{"method":"user.login"}`: "login", `{"method":"user.logout"}`: "login", `{"method":"user.get"}`: "refused",
		`{"method":"user\u002elogin"}`: "login", `[{"method":"user.login"}]`: "refused", `{"Method":"user.login"}`: "refused", ``: "refused",
	} {
		q := Query{Method: "POST", Path: "/rpc", ContentType: "application/json", Body: []byte(body)}
		if got := verdictOf(set.ByName("rpc"), q); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
		if act, why := set.ByName("rpc").Classify(q); why == nil && act.Safe != (act.Name == "read") {
			t.Errorf("%s is safe: %v", body, act.Safe)
		}
	}
	for _, actions := range []string{read, read + strings.Replace(login, "user.log*", "user.other", 1)} {
		_, err := Load([]Source{{Name: "rpc.yaml", Text: []byte(oneDoor + actions)}})
		if err == nil || !strings.Contains(err.Error(), `action "read" can never be reached: the login posts to the same path`) {
			t.Errorf("a login that no action names hides what is behind it: %v", err)
		}
	}
}
