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
