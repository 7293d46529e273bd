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

// Readers without regard to case take the other one of two elements that differ in case alone.
func TestI11XMLNextToOneThatDecidesInAnotherCaseIsRefused(t *testing.T) {
	a := loadActions(t, "",
		`name: get, match: {method: POST, path: /xml, xml: {call.id: "{id}"}}, resource: "page/{id}"`,
		`name: attr, match: {method: POST, path: /attr, xml: {call.@id: "{id}"}}, resource: "page/{id}"`)
	for _, c := range []struct{ path, body, want string }{
		{"/xml", "<call><id>7</id></call>", "get page/7"},
		{"/xml", "<call><id>7</id><note>ID</note></call>", "get page/7"},
		{"/xml", "<call><id>7</id><ID>8</ID></call>", "refused"},
		{"/xml", "<call><Id>8</Id><id>7</id></call>", "refused"},
		{"/xml", `<call xmlns:x="u"><id>7</id><x:iD>8</x:iD></call>`, "refused"},
		{"/attr", `<call id="7" name="x"/>`, "attr page/7"},
		{"/attr", `<call id="7" ID="8"/>`, "refused"},
		{"/attr", `<call Id="8" id="7"/>`, "refused"},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: "text/xml", Body: []byte(c.body)}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s: got %q, want %q", c.body, got, c.want)
		}
	}
}

// The long s and the Kelvin sign are s and k for readers that fold case as Unicode does.
func TestI2NamesAreFoldedAsUnicodeFoldsThem(t *testing.T) {
	for _, body := range []string{"pa\u017fs=x", "PA\u017f\u017f=x", "pass%5B%5D=x", "user%5Bpa%C5%BF%C5%BF%5D=x"} {
		action, out, why := judgeRequest(t, "/form/1", formType, body)
		if why != nil && !action.Login && out.LoginField == "" {
			t.Errorf("%s: %v %v, want a login", body, action, why)
		}
		if why == nil && !action.Login {
			t.Errorf("%s: %v, want a login", body, action)
		}
	}
	a := loadActions(t, "", `name: show, match: {method: POST, path: /form, form: {task: "7"}}`, `name: other, match: {method: POST, path: /form, form: {task: "*"}}`)
	q := Query{Method: "POST", Path: "/form", ContentType: formType, Body: []byte("task=7&ta\u017f\u212a=8")}
	if got := verdictOf(a, q); got != "refused" {
		t.Errorf("a field that folds to the name of one that decides: got %q, want refused", got)
	}
}
