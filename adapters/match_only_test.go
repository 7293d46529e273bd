package adapters

import (
	"strings"
	"testing"
)

// loadActions compiles actions, one flow mapping a line, into an adapter. extra is further YAML at the top level.
func loadActions(t testing.TB, extra string, actions ...string) *Adapter {
	t.Helper()
	text := "name: app\n" + strings.Replace(hostsAndInterim, "HOST", "app.example", 1) + "login: {kind: basic}\n" + extra + "\nactions:\n"
	for _, line := range actions {
		text += "  - {" + line + "}\n"
	}
	set, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("app")
}

// verdictOf is "action resource", with ! behind a privileged one, "login" or "refused".
func verdictOf(a *Adapter, q Query) string {
	act, why := a.Classify(q)
	switch {
	case why != nil:
		return "refused"
	case act.Login:
		return "login"
	}
	text := strings.TrimSpace(act.Name + " " + act.Resource)
	if act.Privileged {
		text += " !"
	}
	return text
}

func TestI7Only(t *testing.T) {
	a := loadActions(t, "",
		`name: read, match: {method: [GET, POST], path: /show, query: {id: "{id}"}, only: [page, "Show*"]}, resource: "t/{id}"`,
		`name: say, match: {method: POST, path: /say, param: {id: "{id}"}, form: {text: "*"}, only: []}, resource: "t/{id}"`,
		`name: put, match: {method: PUT, path: /api, content_type: application/json, json: {ticket.id: "{id}"}, only: [note]}, resource: "t/{id}"`,
		`name: link, match: {path: /link, param: {id: "{id}"}, only: ["{id}-RefersTo", "*-Cc"]}, resource: "t/{id}"`,
		`name: maybe, match: {path: /maybe, query: {id: ["{id}", ""]}, only: ["{id}-x"]}`,
		`name: update, match: {path: "/**"}, resource: t`,
	)
	cases := []struct{ method, target, ctype, body, want string }{
		{"GET", "/show?id=7", "", "", "read t/7"},
		{"GET", "/show?id=7&page=2&ShowHeaders=1&Show=", "", "", "read t/7"},
		{"GET", "/show?id=7&Status=open", "", "", "update t"},
		{"GET", "/show?id=7&%53tatus=open", "", "", "update t"},
		{"GET", "/show?id=7&page[]=2", "", "", "update t"},
		{"GET", "/show?id=7&Status", "", "", "update t"},
		{"GET", "/show?id=7&&page=2&", "", "", "read t/7"},
		{"POST", "/show?id=7", formType, "page=2", "read t/7"},
		{"POST", "/show?id=7", formType, "id=8", "update t"}, // the rule names id in the query; a field id may win there
		{"POST", "/show?id=7", formType, "Status=open", "update t"},
		{"POST", "/show?id=7", "text/plain", "Status=open", "refused"},
		{"POST", "/show?id=7", "", "Status=open", "refused"},
		{"POST", "/show?id=7", "multipart/form-data; boundary=b", multipartBody("page", "2"), "read t/7"},
		{"POST", "/show?id=7", "multipart/form-data; boundary=b", multipartBody("Status", "open"), "update t"},
		{"POST", "/show?id=7", "application/json", `{"page":2}`, "read t/7"},
		{"POST", "/show?id=7", "application/json", `{"page":2,"Status":"open"}`, "update t"},
		{"POST", "/show?id=7", "application/json", `[{"Status":"open"}]`, "refused"},
		{"POST", "/link", formType, "7-RefersTo=9&id=7&a-Cc=", "link t/7"},
		{"POST", "/link", formType, "8-RefersTo=9&id=7", "update t"},
		{"GET", "/maybe?7-x=1&id=7", "", "", "maybe"},
		{"GET", "/maybe?7-x=1", "", "", "update t"}, // {id} is not bound: it does not fit anything
		{"POST", "/say", formType, "id=7&text=x", "say t/7"},
		{"POST", "/say?id=7", formType, "text=x", "say t/7"},
		{"POST", "/say?text=x", formType, "id=7&text=x", "update t"}, // text belongs into the form
		{"POST", "/say?tint=x", formType, "id=7&text=x", "update t"},
		{"PUT", "/api", "application/json", `{"ticket":{"id":7,"x":1},"note":{"a":"b"}}`, "put t/7"},
		{"PUT", "/api", "application/json", `{"ticket":{"id":7},"status":"open"}`, "update t"},
	}
	for _, c := range cases {
		path, query, _ := strings.Cut(c.target, "?")
		q := Query{Method: c.method, Path: path, RawQuery: query, ContentType: c.ctype, Body: []byte(c.body)}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s %s %s %s: got %q, want %q", c.method, c.target, c.ctype, c.body, got, c.want)
		}
		if q.Truncated = true; c.body != "" && strings.HasSuffix(c.want, "/7") && verdictOf(a, q) != "refused" {
			t.Errorf("%s %s %s: what is cut off may hold another parameter", c.method, c.target, c.body)
		}
	}
}

func TestI7CodedBodiesAndWindowsPaths(t *testing.T) {
	a := loadActions(t, "paths: {fold: true}\n", `name: edit, match: {method: POST, path: "/Page.aspx", form: {do: ["", save]}}`,
		`name: call, match: {method: POST, path: /rpc, json: {do: save}}`, `name: admin, privileged: true, match: {path: "/Admin/**"}`, `name: other, match: {path: "/{x}/{y}"}`)
	for _, c := range []struct{ path, ctype, coding, body, want string }{
		{"/page.ASPX", formType, "", "do=save", "edit"},
		{"/page.aspx", formType, "gzip", "do=save", "refused"},
		{"/page.aspx", formType, "identity", "do=save", "edit"},
		{"/page.aspx", formType, "gzip", "", "edit"},
		{"/rpc", "application/json", "br", `{"do": "save"}`, "refused"},
		{"/page.aspx.", formType, "", "do=save", "refused"},
		{"/page.aspx::$DATA", formType, "", "do=save", "refused"},
		{"/ADMIN/x", formType, "", "", "admin"},
		{"/admin%20/x", formType, "", "", "refused"},
		{"/admin./x", formType, "", "", "refused"},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: c.ctype, Body: []byte(c.body)}
		if c.coding != "" {
			q.Fields = []Field{{Name: "content-encoding", Value: c.coding}}
		}
		if got := strings.TrimSuffix(verdictOf(a, q), " !"); got != c.want {
			t.Errorf("%s %q %q: %s, want %s", c.path, c.coding, c.body, got, c.want)
		}
	}
}

func multipartBody(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--b--\r\n"
}

func TestI7NeedsBody(t *testing.T) {
	a := loadActions(t, "",
		`name: delete, privileged: true, match: {method: POST, path: /index, param: {action: delete}}`,
		`name: view, match: {path: /index, query: {action: view}}`,
		`name: note, match: {path: /note, content_type: application/json}`,
		`name: plain, match: {path: /plain}`,
		`name: bare, match: {path: /bare, only: []}`,
	)
	cases := []struct {
		method, target, ctype string
		want                  bool
	}{
		{"POST", "/index?action=view", formType, true}, // a field action=delete would win in many applications
		{"GET", "/index?action=view", "", false},
		{"POST", "/note", "", true}, // with a body, a missing type is in doubt
		{"POST", "/note", formType, false},
		{"POST", "/plain", formType, false},
		{"POST", "/bare", formType, true},
		{"POST", "/bare?x=1", formType, false}, // no body can make it fit
	}
	for _, c := range cases {
		path, query, _ := strings.Cut(c.target, "?")
		if got := a.NeedsBody(Query{Method: c.method, Path: path, RawQuery: query, ContentType: c.ctype}); got != c.want {
			t.Errorf("%s %s %s: got %v", c.method, c.target, c.ctype, got)
		}
	}
}
