package adapters

import (
	"strings"
	"testing"
)

func TestI7NeedsBodyIsFalseOnlyIfNoBodyMatters(t *testing.T) {
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
		{"POST", "/plain", formType, true}, // a credential may be in it
		{"POST", "/plain", "application/json", true},
		{"POST", "/plain", "application/octet-stream", false},
		{"POST", "/bare", formType, true},
		{"POST", "/bare?x=1", formType, false}, // no body can make it fit
	}
	for _, c := range cases {
		path, query, _ := strings.Cut(c.target, "?")
		if got := a.NeedsBody(Query{Method: c.method, Path: path, RawQuery: query, ContentType: c.ctype}); got != c.want {
			t.Errorf("%s %s %s: needs the body: %v, want %v", c.method, c.target, c.ctype, got, c.want)
		}
	}
}

// Numbers have spellings that applications read alike, and large ones are rounded by some: a resource has one name.
func TestI11ANumberThatDecidesIsExact(t *testing.T) {
	a := loadActions(t, "",
		`name: get, match: {method: POST, path: /get, json: {id: "{id}"}}, resource: "page/{id}"`,
		`name: any, match: {method: POST, path: /any, json: {id: "*"}}`,
		`name: seven, match: {method: POST, path: /seven, json: {id: "7"}}`,
		`name: other, match: {method: POST, path: /seven, json: {id: ["*", ""]}}`)
	for _, c := range []struct{ path, id, want string }{
		{"/get", "7", "get page/7"}, {"/get", "-7", "get page/-7"}, {"/get", `"7.0"`, "get page/7.0"}, {"/get", "true", "get page/true"}, {"/get", "123456789012345", "get page/123456789012345"},
		{"/get", "7.0", "refused"}, {"/get", "7e0", "refused"}, {"/get", "0.7E1", "refused"}, {"/get", "-0", "refused"}, {"/get", "9007199254740993", "refused"}, {"/get", "1e400", "refused"}, {"/get", "07", "refused"},
		{"/any", "7.0", "any"}, {"/any", "9007199254740993", "any"}, {"/seven", "7", "seven"}, {"/seven", "7.0", "refused"}, {"/seven", "8", "other"},
		{"/get", `7,"__proto__":{"id":8}`, "refused"}, {"/get", `"7","i\u0064":8`, "refused"}, {"/get", `7,"ID":8`, "refused"}, {"/get", `7,"\u0130d":8`, "get page/7"}, {"/get", `[7]`, "refused"}, {"/get", `{"id":7}`, "refused"},
		{"/get", `"7\u0000"`, "refused"}, {"/get", `"\ud800"`, "refused"}, {"/get", "\"\xff\"", "refused"},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: "application/json", Body: []byte(`{"id":` + c.id + `}`)}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.path, c.id, got, c.want)
		}
	}
}
