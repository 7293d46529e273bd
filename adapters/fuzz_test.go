package adapters

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/digest"
)

// FuzzJar: however cookies come and go, the jar stays within its bounds and what it sends is one well-formed field.
func FuzzJar(f *testing.F) {
	f.Add("a=1\na=2; Path=/x\na=deleted; Max-Age=0\nb=3; Domain=acme.example", "/x/y")
	f.Add("sid=canary; Secure\nsid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/")
	a := small(nil)
	f.Fuzz(func(t *testing.T, fields, path string) {
		s := sessionWith(a, "app.acme.example", "/")
		now := noon
		for field := range strings.SplitSeq(fields, "\n") {
			a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: field}}, "app.acme.example", path, now)
			now = now.Add(time.Second)
		}
		if n := len(s.jar.Cookies()); n > cookie.MaxCookies {
			t.Fatalf("%d cookies", n)
		}
		for _, out := range a.putFields(nil, s, nil, "app.acme.example", path, true, now) {
			if out.Name != "Cookie" || strings.ContainsAny(out.Value, "\r\n\x00") {
				t.Fatalf("%q: %q", out.Name, out.Value)
			}
		}
		text, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := a.Restore(text)
		if err != nil || len(again.jar.Cookies()) != len(s.jar.Cookies()) {
			t.Fatalf("restored %v: %v", again, err)
		}
	})
}

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

// FuzzLoginPage: a login survives every page, and what it takes from it stays within one field or path.
func FuzzLoginPage(f *testing.F) {
	a := loadLogin(f, `
  kind: form
  steps:
    - get: /login
      follow: 2
      take: {to: {css: form, attr: action, optional: true}, x: {regexp: "x=(.*)", optional: true}}
    - post: ${to}
      hidden: form
      headers: {X-Value: "${x}"}
      form: {user: "${username}", pass: "${password}"}
  success: {status: 200}`)
	f.Add(200, "", []byte(`<form action="/do?a=b&amp;c"><input type=hidden name=h value="&#43;"></form> x=1`))
	f.Add(302, "//other.example/", []byte(""))
	f.Add(302, "https://app.example/../x y", []byte("<form action='javascript:x'>"))
	f.Add(401, "Digest realm=\"a\\\"b\", nonce=n, qop=\"auth\"", []byte("x=\r\nSet-Cookie: a=b"))
	f.Fuzz(func(t *testing.T, status int, location string, page []byte) {
		d := a.Login(goldenAccount, nil)
		d.UseHost("https", "app.example")
		var last *Reply
		for range 6 {
			step, err := d.Next(last)
			if step == nil || err != nil {
				break
			}
			if step.External || step.Authority != "" && step.Authority != "app.example" {
				t.Fatalf("the login goes to %q", step.Authority)
			}
			if !strings.HasPrefix(step.Path, "/") || strings.ContainsAny(step.Path, " \r\n\t") {
				t.Fatalf("path %q", step.Path)
			}
			if _, err := url.ParseRequestURI("https://app.example" + step.Path); err != nil {
				t.Fatal(err)
			}
			for _, field := range step.Fields {
				if strings.ContainsAny(field.Name+field.Value, "\r\n\x00") {
					t.Fatalf("%q: %q", field.Name, field.Value)
				}
			}
			last = &Reply{Status: status, Fields: []Field{{Name: "Location", Value: location}, {Name: "WWW-Authenticate", Value: location}, {Name: "Set-Cookie", Value: location}}, Body: page}
		}
		if c := digest.Parse(location); c != nil {
			if c.Prove("agent-01", "p"); !strings.HasPrefix(c.User, "agent") {
				t.Fatal("no proof")
			}
		}
	})
}
