package adapters

import (
	"strings"
	"testing"
)

// bodyAdapter decides by everything that an action can go by.
var bodyAdapter = `
name: body
hosts: [body.example]
interim: {reason: r, owner: o, review_by: 2027-06-30}
login: {kind: basic}
method_override: {param: _method}
paths: {rewrite: [{path: "/p/{title...}", to: /q, query: {title: "{title}"}}]}
actions:
  - {name: form, match: {method: [POST, DELETE], path: "/form/{id:digits}", param: {action: [edit, ""]}, only: [text]}, resource: "f/{id}"}
  - {name: json, match: {method: POST, path: /json, batch: true, json: {method: "page.*", params.id: "{id}"}}, resource: "j/{id}"}
  - {name: xml, match: {method: POST, path: /xml, header: {SOAPAction: get}, xml: {Envelope.Body: get, Envelope.Body.get.id: "{id}"}}, resource: "x/{id}"}
  - {name: graphql, match: {path: /graphql, batch: true, graphql: {type: query, field: "page*", argument: {id: "{id}"}}}, resource: "g/{id}"}
  - {name: page, match: {method: GET, path: /q, query: {title: "{title}"}}, resource: "p/{title|underscores}"}
`

// FuzzClassifyBody: no request makes the adapter fail, a body that was said not to matter does not, and one that is cut
// off never names what the whole would not.
func FuzzClassifyBody(f *testing.F) {
	set, err := Load([]Source{{Name: "body.yaml", Text: []byte(bodyAdapter)}})
	if err != nil {
		f.Fatal(err)
	}
	a := set.ByName("body")
	for _, s := range [][5]string{
		{"POST", "/form/7", "", "application/x-www-form-urlencoded", "action=edit&_method=delete"},
		{"POST", "/form/7", "", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nedit\r\n--b--"},
		{"POST", "/json", "", "application/json", `[{"method":"page.get","params":{"id":7}}]`},
		{"POST", "/xml", "", "text/xml", `<e:Envelope xmlns:e="u"><e:Body><get><id>7</id></get></e:Body></e:Envelope>`},
		{"POST", "/graphql", "", "application/json", `{"query":"query($i:ID){page(id:$i){a}}","variables":{"i":"7"}}`},
		{"GET", "/graphql", "query={page(id:7){a}}", "", ""},
		{"GET", "/p/a/b", "title=x", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], []byte(s[4]))
	}
	f.Fuzz(func(t *testing.T, method, path, query, ctype string, body []byte) {
		q := Query{Method: method, Path: path, RawQuery: query, ContentType: ctype, Fields: []Field{{Name: "SOAPAction", Value: "get"}}}
		needs := a.NeedsBody(q)
		without, why := a.Classify(q)
		q.Body = body
		with, why2 := a.Classify(q)
		if !needs && (with != without || (why == nil) != (why2 == nil)) {
			t.Fatalf("the body matters after all: %v %v, %v %v", without, why, with, why2)
		}
		if len(body) > 0 && needs {
			q.Truncated = true
			if act, why := a.Classify(q); why == nil {
				t.Fatalf("half a body is %v", act)
			}
		}
	})
}

func FuzzClassify(f *testing.F) {
	a := loadChild(f, "wordpress")
	f.Add("/wp%2dlogin.php", "a=b", "log=x", formType)
	f.Add("/WP-login.php/", "", "", "")
	f.Fuzz(func(t *testing.T, path, query, body, ctype string) {
		act, why := a.Classify(Query{Method: "POST", Path: path, RawQuery: query, ContentType: ctype, Body: []byte(body)})
		decoded, clear := decodePath(path, "")
		if why == nil && clear && strings.EqualFold(strings.TrimSuffix(decoded, "/"), "/wp-login.php") && !act.Login {
			t.Fatalf("%q is the login path but was classified %q", path, act.Name)
		}
	})
}
