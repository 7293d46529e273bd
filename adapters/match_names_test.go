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
		{"/issue", "issue[notes]=x&issue][project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue]]][project]=2", "refused"},
		{"/issue", "issue[notes]=x&issue]=2", "refused"},
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

// PHP reads form[id as form_id, and Rack reads id] as id. Where such a name stands next to the one that decides, the last
// one wins.
func TestI7ANameThatAServerReadsAsAnotherIsRefused(t *testing.T) {
	a := loadActions(t, "",
		`name: show, match: {method: [GET, POST], path: /form, param: {form_id: "7"}}`,
		`name: view, match: {method: [GET, POST], path: /view, query: {id: "7"}}`)
	for _, c := range []struct{ name, want string }{
		{"note", "carried"},
		{"note[id]", "carried"},
		{"form", "carried"},
		{"form[x]", "carried"},
		{"form[id", "refused"},
		{"form%5Bid", "refused"},
		{"form.id", "refused"},
		{"form+id", "refused"},
		{"+form[id", "refused"},
		{"form_id]", "refused"},
		{"form_id%5D%5D", "refused"},
		{"form_id][x]", "refused"},
		{"form_id%0A", "refused"},
		{"form_id%FF", "refused"},
		{"form%C0_id", "refused"},
		{"id]", "refused"},
		{"%FFid", "refused"},
	} {
		for _, q := range []Query{
			{Method: "GET", Path: "/form", RawQuery: "form_id=7&" + c.name + "=8"},
			{Method: "POST", Path: "/form", ContentType: formType, Body: []byte("form_id=7&" + c.name + "=8")},
			{Method: "GET", Path: "/view", RawQuery: "id=7&" + c.name + "=8"},
		} {
			want := c.want
			if want == "carried" {
				want = map[string]string{"/form": "show", "/view": "view"}[q.Path]
			}
			if got := verdictOf(a, q); got != want {
				t.Errorf("%s %s?%s %s: got %q, want %q", q.Method, q.Path, q.RawQuery, q.Body, got, want)
			}
		}
	}
}
