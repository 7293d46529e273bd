package adapters

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzLoginPage: whatever an application answers, a login stays at its host, and what it takes from a
// page cannot leave one header field or path.
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
	f.Add(200, "a=b; Path=/", []byte("x=\r\nSet-Cookie: a=b"))

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
				t.Fatalf("the path is %q", step.Path)
			}
			if _, err := url.ParseRequestURI("https://app.example" + step.Path); err != nil {
				t.Fatal(err)
			}
			for _, field := range step.Fields {
				if strings.ContainsAny(field.Name+field.Value, "\r\n\x00") {
					t.Fatalf("the field %q: %q is more than one line", field.Name, field.Value)
				}
			}

			last = &Reply{Status: status, Body: page, Fields: []Field{{Name: "Location", Value: location}, {Name: "Set-Cookie", Value: location}}}
		}
	})
}
