package adapters

import (
	"strings"
	"testing"
)

// PHP and Rails read issue[notes] and issue[project] as different parts of issue. Any other spelling may be one of them.
func TestI7NestedNamesThatDifferInAKeyAreDifferentParameters(t *testing.T) {
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
			t.Errorf("%s %s: got %q, want %q", c.path, c.body, got, c.want)
		}
	}
}
