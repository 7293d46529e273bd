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
		{"form_id:int", "refused"},
		{"form_id:utf8:ustring", "refused"},
		{"id:list", "refused"},
		{"form_id:title", "carried"},
		{"note:int", "carried"},
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

// Two names that some server takes for one may both decide, in different actions. Where one decides, the other must not
// be there.
func TestI11TwoDeclaredNamesThatAServerReadsAsOne(t *testing.T) {
	a := loadActions(t, "",
		`name: dot, match: {method: [GET, POST], path: /dot, param: {form.id: "7"}}`,
		`name: underscore, match: {method: [GET, POST], path: /under, param: {form_id: "7"}}`,
		`name: none, match: {method: [GET, POST], path: /none, param: {form_id: "", note: "x"}}`,
		`name: do, match: {method: POST, path: /do, form: {do: show}}`,
		`name: save, match: {method: POST, path: /save, form: {"do[save]": "*", do: ""}}`,
		`name: list, match: {method: POST, path: /list, form: {"ids[]": "7"}}`,
		`name: one, match: {method: POST, path: /one, form: {"ids": "7"}}`)

	for _, c := range []struct{ path, params, want string }{
		{"/dot", "form.id=7", "dot"}, {"/under", "form_id=7", "underscore"}, {"/none", "note=x", "none"},
		{"/dot", "form.id=7&form_id=8", "refused"}, {"/under", "form_id=7&form.id=8", "refused"}, {"/under", "form.id=8&form_id=7", "refused"}, {"/none", "note=x&form.id=8", "refused"},
		{"/do", "do=show", "do"}, {"/do", "do=show&do[save]=1", "refused"}, {"/do", "do[save]=1&do=show", "refused"}, {"/save", "do[save]=1", "save"},
		{"/list", "ids[]=7", "list"}, {"/list", "ids[]=7&ids=8", "refused"}, {"/one", "ids=7&ids[]=8", "refused"}, {"/list", "ids[]=7&ids[]=8", "refused"}, {"/list", "ids[]=7&ids[0]=8", "refused"},
	} {
		for _, place := range []string{"query", "form", "multipart", "both"} {
			q := Query{Method: "POST", Path: c.path}
			switch place {
			case "query":
				q.Method, q.RawQuery, q.NoBody = "GET", c.params, true
			case "form":
				q.ContentType, q.Body = formType, []byte(c.params)
			case "multipart":
				var fields []string
				for pair := range strings.SplitSeq(c.params, "&") {
					name, value, _ := strings.Cut(pair, "=")
					fields = append(fields, name, value)
				}
				q.ContentType, q.Body = "multipart/form-data; boundary=b", []byte(judgedForm(fields...))
			case "both":
				before, after, found := strings.Cut(c.params, "&")
				if !found || strings.Contains(c.params, "[") {
					continue // query and form are matched apart
				}
				q.RawQuery, q.ContentType, q.Body = before, formType, []byte(after)
			}

			if place == "query" && strings.Contains("/do /save /list /one", c.path) {
				continue
			}
			if got := verdictOf(a, q); got != c.want {
				t.Errorf("%s %s in %s: got %q, want %q", c.path, c.params, place, got, c.want)
			}
		}
	}
}

// Frameworks go by a method that a field names. Where method_override does not name the field, it is refused.
func TestI11FieldsThatNameAnotherMethodAreRefused(t *testing.T) {
	a := loadActions(t, "", `name: edit, match: {method: [GET, POST], path: "/p/{id}"}, resource: "{id}"`)
	for _, name := range []string{"_method", "_METHOD", "__method", "_http_method", "_HttpMethod", "X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "$httpMethod", "_method_override", " _method", "_method[]", "_method%00", "%5fmethod"} {
		for _, q := range []Query{
			{RawQuery: strings.ReplaceAll(name, " ", "+") + "=DELETE", NoBody: true, Method: "GET"}, {ContentType: formType, Body: []byte("a=b&" + strings.ReplaceAll(name, " ", "+") + "=DELETE")},
			{ContentType: "application/json", Body: []byte(`{"` + name + `":"DELETE"}`)}, {ContentType: "multipart/form-data; boundary=b", Body: []byte(judgedForm(name, "DELETE"))},
			{Body: []byte("a=b&" + strings.ReplaceAll(name, " ", "+") + "=DELETE")}, {ContentType: "text/plain", Body: []byte(`{"` + name + `":"DELETE"}`)},
		} {
			if strings.Contains(name, "%") && (strings.HasPrefix(string(q.Body), "{") || strings.Contains(q.ContentType, "multipart")) {
				continue // no escape there
			}
			q.Path = "/p/1"
			if q.Method == "" {
				q.Method = "POST"
			}
			if got := verdictOf(a, q); got != "refused" {
				t.Errorf("%s in %s %q ?%s: got %q, want that it is refused", name, q.ContentType, q.Body, q.RawQuery, got)
			}
		}
	}
	for _, name := range []string{"method", "payment_method", "http_method", "_methods", "request-method", "shipping_method"} {
		for _, q := range []Query{{Method: "POST", ContentType: formType, Body: []byte(name + "=x")}, {Method: "POST", ContentType: "application/json", Body: []byte(`{"` + name + `":"x","a":{"_method":1}}`)}} {
			q.Path = "/p/1"
			if got := verdictOf(a, q); got != "edit 1" {
				t.Errorf("%s in %s: got %q, want edit", name, q.ContentType, got)
			}
		}
	}
}

// Java's getParameter and others take a parameter of the query before the field of a form.
func TestI11TheQueryDoesNotContradictTheForm(t *testing.T) {
	a := loadActions(t, "",
		`name: save, match: {method: POST, path: /save, form: {do: save, id: "{id}", mode: ["", quick]}}, resource: "{id}"`,
		`name: nested, match: {method: POST, path: /nested, form: {"issue[id]": "{id}"}, only: ["issue[*"]}, resource: "{id}"`,
		`name: both, match: {method: POST, path: /both, query: {do: edit}, form: {do: save}}`,
		`name: optional, match: {method: POST, path: /optional, form: {note: ["{note}", ""]}}`,
		`name: users, privileged: true, match: {method: POST, path: /users, form: {route: "*users*"}}`,
		`name: user, privileged: true, match: {method: POST, path: /user, form: {id: "{id}"}}, resource: "{id}"`)

	for _, c := range []struct{ path, query, form, want string }{
		{"/save", "", "do=save&id=7", "save 7"}, {"/save", "page=2", "do=save&id=7", "save 7"}, {"/save", "do=save&id=7", "do=save&id=7", "save 7"}, {"/save", "mode=quick", "do=save&id=7", "save 7"},
		{"/save", "id=8", "do=save&id=7", "refused"}, {"/save", "do=delete", "do=save&id=7", "refused"}, {"/save", "id=", "do=save&id=7", "refused"}, {"/save", "id=7&id=8", "do=save&id=7", "refused"},
		{"/save", "mode=full", "do=save&id=7", "refused"}, {"/save", "mode=full", "do=save&id=7&mode=quick", "refused"}, {"/save", "%69d=8", "do=save&id=7", "refused"},
		{"/nested", "issue[id]=8", "issue[id]=7", "refused"}, {"/nested", "issue[id]=7", "issue[id]=7", "nested 7"}, {"/both", "do=edit", "do=save", "both"}, {"/optional", "note=x", "a=1", "refused"}, {"/optional", "", "a=1", "optional"},
		{"/users", "route=posts", "route=users", "users !"}, {"/user", "id=7", "id=7", "user 7 !"}, {"/user", "id=8", "id=7", "refused"},
	} {
		for _, q := range []Query{
			{Method: "POST", Path: c.path, RawQuery: c.query, ContentType: formType, Body: []byte(c.form)},
			{Method: "POST", Path: c.path, RawQuery: c.query, ContentType: "multipart/form-data; boundary=b", Body: []byte(judgedForm(strings.FieldsFunc(c.form, func(c rune) bool { return c == '&' || c == '=' })...))},
		} {
			if got := verdictOf(a, q); got != c.want {
				t.Errorf("%s?%s %s %s: got %q, want %q", c.path, c.query, q.ContentType, c.form, got, c.want)
			}
		}
	}
}
