package adapters

import (
	"strings"
	"testing"
)

func TestI7OnlyAdmitsTheNamesThatItLists(t *testing.T) {
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
		{"POST", "/show?id=7", formType, "id=8", "update t"}, // the action names id in the query; a field id may win there
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
		{"GET", "/maybe?7-x=1", "", "", "update t"}, // {id} is not bound: {id}-x fits nothing
		{"POST", "/say", formType, "id=7&text=x", "say t/7"},
		{"POST", "/say?id=7", formType, "text=x", "say t/7"},
		{"POST", "/say?text=x", formType, "id=7&text=x", "update t"}, // the action names text in the form
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

		q.Truncated = true
		if got := verdictOf(a, q); c.body != "" && strings.HasSuffix(c.want, "/7") && got != "refused" {
			t.Errorf("%s %s %s, cut off: got %q, want refused: the rest may hold another parameter", c.method, c.target, c.body, got)
		}
	}
}

func multipartBody(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--b--\r\n"
}
