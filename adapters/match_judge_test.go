package adapters

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const judgeAdapter = `name: app
hosts: [app.example]
interim: {reason: test, owner: o@acme.example, review_by: 2099-01-01}
query: {pass: [code]}
body: {pass: [_csrf_session, new_password, "wp*Token"]}
login:
  kind: form
  steps:
    - get: /login
      take: {csrf: {css: "input[name=csrf]", attr: value}}
    - post: /login
      let: {proof: "${csrf}${password|md5}"}
      form: {user: "${username}", pass: "${password}", hash: "${proof}", csrf: "${csrf}"}
  success: {status: 302, cookie: session}
actions:
  - {name: raw, match: {method: POST, path: /raw}, verbatim: true}
  - {name: page.edit, match: {method: [POST, PUT, DELETE], path: "/p/{id}"}, resource: "page/{id}"}
  - {name: page.save, match: {method: POST, path: "/form/{id}", form: {do: save}}, resource: "page/{id}"}
  - {name: page.read, match: {method: GET, path: "/**"}, resource: page}
`

var loadJudged = sync.OnceValues(func() (*Set, error) { return Load([]Source{{Name: "app.yaml", Text: []byte(judgeAdapter)}}) })

func judgeRequest(t *testing.T, target, contentType, content string, method ...string) (Action, Outbound, *Reason) {
	t.Helper()
	set, err := loadJudged()
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Method: "POST", ContentType: contentType, Body: []byte(content), NoBody: contentType == ""}
	if len(method) > 0 {
		q.Method = method[0]
	}
	q.Path, q.RawQuery, _ = strings.Cut(target, "?")
	return set.ByName("app").Read(q)
}

func judgedForm(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", fields[i], fields[i+1])
	}
	return b.String() + "--b--\r\n"
}

func TestI2CredentialsInBodies(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"
	const multipartType, jsonType = "multipart/form-data; boundary=b", "application/json"
	for _, c := range []struct{ contentType, content, name string }{
		{formType, "text=x&access_token=abc", "access_token"}, {formType, "accessToken=abc", "accessToken"}, {formType, "sid=abc", "sid"}, {formType, "password=abc", "password"},
		{formType, "user%5Bpassword%5D=abc", "user[password]"}, {formType, "text=" + jwt, "text"}, {formType, "text=Bearer+abc", "text"}, {formType, "token[]=x", "token[]"},
		{formType, "payload=%7B%22access_token%22%3A%22x%22%7D", "payload"}, {formType, "back=%2Fx%3Ftoken%3Dabc", "back"},
		{multipartType, judgedForm("text", "x", "access_token", "abc"), "access_token"}, {multipartType, judgedForm("text", jwt), "text"}, {multipartType, judgedForm("apiKey", "abc"), "apiKey"},
		{jsonType, `{"access_token":"abc"}`, "access_token"}, {jsonType, `{"a":[{"b":{"sessionId":"abc"}}]}`, "sessionId"}, {jsonType, `{"session":{"id":"abc"}}`, "session.id"},
		{jsonType, `{"tokens":[],"token":["abc"]}`, "token"}, {jsonType, `{"password":1234}`, "password"}, {jsonType, `{"a":"` + jwt + `"}`, "a"}, {jsonType, `["Bearer abc"]`, ""},
		{jsonType, `{"query":"{a}","variables":{"input":{"apiKey":"abc"}}}`, "apiKey"}, {jsonType, `{"acc\u0065ss_token":"abc"}`, "access_token"}, {jsonType, `"` + jwt + `"`, ""},
		{"application/vnd.api+json", `{"secret":"abc"}`, "secret"},
	} {
		for _, path := range []string{"/p/1", "/form/1"} {
			content := c.content
			if path == "/form/1" {
				if c.contentType != formType {
					continue
				}
				content += "&do=save"
			}
			action, out, why := judgeRequest(t, path, c.contentType, content)
			if why != nil || len(out.Credentials) != 1 || out.Credentials[0].Name != c.name || out.Credentials[0].In != "body" {
				t.Errorf("%s %s: %v %v, %d credentials, want one called %q", path, content, action, why, len(out.Credentials), c.name)
			}
		}
	}
}

func TestI2BodiesWithoutCredentials(t *testing.T) {
	for _, c := range []struct{ contentType, content string }{
		{formType, "text=x&token=****"}, {formType, "password=&text=Basic+training"}, {formType, "csrf_token=abc&_token=x&authenticity_token=y"}, {formType, "key=PROJ&ticket=12"},
		{formType, "new_password=abc&wpEditToken=abc&_csrf_session=x"}, {"application/json", `{"max_tokens":3,"token":null,"key":"PROJ-1","session":{"title":"x"},"auth":{"kind":"x"}}`},
		{"text/plain", "the access_token = abc of yesterday"}, {"application/octet-stream", "PACK\x00\x01access_token: abc"},
	} {
		action, out, why := judgeRequest(t, "/p/1", c.contentType, c.content)
		if why != nil || action.Name != "page.edit" || len(out.Credentials) > 0 {
			t.Errorf("%s: %v %v, %d credentials, want page.edit and none", c.content, action, why, len(out.Credentials))
		}
	}

	// An action with verbatim is not read.
	if action, out, why := judgeRequest(t, "/raw", formType, "access_token=x&&=%zz"); why != nil || action.Name != "raw" || len(out.Credentials) > 0 || out.RewritesBody {
		t.Errorf("verbatim: %v %v", action, why)
	}
}

func TestI7BodiesThatCannotBeJudgedAreRefused(t *testing.T) {
	for _, c := range []struct{ contentType, content string }{
		{"application/json", `{"a":1,"access_token":"x","a":2}`}, {"application/json", `{"access_token":`}, {formType, "a=%zz&access_token=x"},
		{"multipart/form-data; boundary=c", judgedForm("a", "b")}, {formType + "; charset=utf-7", "a=+AGE-"},
	} {
		if action, out, why := judgeRequest(t, "/p/1", c.contentType, c.content); why == nil && len(out.Credentials) == 0 {
			t.Errorf("%s %s: %v, want that it is refused", c.contentType, c.content, action)
		}
	}
}

func TestI2ALoginIsALoginByAnyDoor(t *testing.T) {
	for _, c := range []struct{ method, target, contentType, content string }{
		{"GET", "/login?user=alice&pass=x", "", ""}, {"GET", "/any/page?PASS=x", "", ""}, {"GET", "/x?pass%5B%5D=x", "", ""}, {"DELETE", "/p/1?pass=x", "", ""}, {"GET", "/x?hash=abc", "", ""},
		{"POST", "/p/1", formType, "text=x&pass=y"}, {"PUT", "/p/1", "application/json", `{"a":{"pass":"y"}}`}, {"POST", "/p/1", "multipart/form-data; boundary=b", judgedForm("pass", "y")},
		{"POST", "/nowhere", formType, "pass=y"}, {"POST", "/nowhere?pass=y", "", ""}, {"POST", "/form/1", formType, "do=other&pass=y"}, {"POST", "/login", formType, "a=b"},
	} {
		action, _, why := judgeRequest(t, c.target, c.contentType, c.content, c.method)
		if why != nil || !action.Login {
			t.Errorf("%s %s %s: %v %v, want a login", c.method, c.target, c.content, action, why)
		}
	}
	for _, target := range []string{"/x?pass=", "/x?pass=****", "/x?user=alice", "/x?csrf=abc", "/x?passage=1"} {
		if action, _, why := judgeRequest(t, target, "", "", "GET"); why != nil || action.Login {
			t.Errorf("GET %s: %v %v, want that it is no login", target, action, why)
		}
	}
}

func TestI2TheLoginRuleOfAFormIsReplacedByTheAdapters(t *testing.T) {
	text := strings.Replace(judgeAdapter, "actions:\n", "actions:\n"+
		"  - {name: signin, login: true, match: {method: POST, path: /login, form: {user: \"*\"}}}\n"+
		"  - {name: call, match: {method: POST, path: /login, form: {call: \"{c}\"}}, resource: \"call/{c}\"}\n", 1)
	set, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{"call=list": "call", "user=alice&pass=x": "signin", "call=list&pass=x": "login"} {
		action, _, why := set.ByName("app").Read(Query{Method: "POST", Path: "/login", ContentType: formType, Body: []byte(content)})
		if why != nil || action.Name != want {
			t.Errorf("%s: %v %v, want %s", content, action, why, want)
		}
	}
}

// FuzzI2CredentialInBody writes a field of a credential among others in three kinds of bodies, by writers that share
// nothing with the readers, and wants it found or the body refused.
func FuzzI2CredentialInBody(f *testing.F) {
	f.Add("access_token", "a", "b", uint8(0))
	f.Add("apiKey", "x[y]", "\"\\", uint8(5))
	f.Fuzz(func(t *testing.T, _, name, value string, kind uint8) {
		const secret = "s3cret-value"
		words := []string{"access_token", "apiKey", "user[password]", "PHPSESSID", "session.id"}
		word := words[int(kind/3)%len(words)]
		var contentType, content string
		switch kind % 3 {
		case 0:
			contentType = formType
			content = fmt.Sprintf("%x=%x&%s=%s", name, value, word, secret)
		case 1:
			contentType = "multipart/form-data; boundary=b"
			content = judgedForm(fmt.Sprintf("f%x", name), value, word, secret)
		case 2:
			contentType = "application/json"
			content = fmt.Sprintf(`{"f%x":{"x":[{"%s":"%s"}]},"v":"%x"}`, name, word, secret, value)
		}
		action, out, why := judgeRequest(t, "/p/1", contentType, content)
		if why == nil && len(out.Credentials) == 0 && !action.Login {
			t.Fatalf("%q went on", content)
		}
	})
}

// A body of a judged type that cannot be judged is refused: servers undo a content coding before they read a form, and
// padding pushes a field behind what is held. An action that sends its body as it came says so.
func TestI2ABodyThatCannotBeJudgedIsRefused(t *testing.T) {
	set, err := loadJudged()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, contentType, coding string
		truncated                 bool
		want                      bool // carried
	}{
		{"/p/1", formType, "gzip", false, false},
		{"/p/1", "application/json", "deflate", false, false},
		{"/p/1", "application/json", "", true, false},
		{"/p/1", formType, "", true, false},
		{"/raw", formType, "gzip", false, true},
		{"/raw", "application/json", "", true, true},
		{"/p/1", "application/octet-stream", "gzip", false, true},
		{"/p/1", "application/octet-stream", "", true, true},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: c.contentType, Body: []byte("text=x"), Truncated: c.truncated}
		if c.contentType == "application/json" {
			q.Body = []byte(`{"text":"x"}`)
		}
		if c.coding != "" {
			q.Fields = append(q.Fields, Field{Name: "Content-Encoding", Value: c.coding})
		}
		_, _, reason := set.ByName("app").Read(q)
		if carried := reason == nil; carried != c.want {
			t.Errorf("%+v: carried %v (%v)", c, carried, reason)
		}
	}
}

// TestI2ANameNextToItsValueInJSON: forms, header fields and variables are often sent as lists of names with values.
func TestI2ANameNextToItsValueInJSON(t *testing.T) {
	for _, content := range []string{
		`[{"name":"access_token","value":"abc"}]`, `[{"value":"abc","name":"access_token"}]`, `{"k":"password","v":"x"}`, `{"id":"password","val":"x"}`, `{"headers":[{"Name":"Authorization","Value":"x"}]}`,
		`{"a":[{"name":"title","value":"x"},{"key":"api_key","type":"text","value":"abc"}]}`,
	} {
		for _, contentType := range []string{"application/json", "text/plain"} {
			_, out, why := readContent(t, "POST", "/p/1", contentType, content)
			if why != nil || len(out.Credentials) == 0 {
				t.Errorf("%s %s: %v, %d credentials, want one", contentType, content, why, len(out.Credentials))
			}
		}
	}
	for _, content := range []string{`[["access_token","abc"],["title","x"]]`, `{"headers":[["Authorization","x"]]}`} {
		if _, out, why := readContent(t, "POST", "/p/1", "application/json", content); why != nil || len(out.Credentials) == 0 {
			t.Errorf("%s: %v, %d credentials, want one", content, why, len(out.Credentials))
		}
	}
	for _, content := range []string{
		`{"name":"toaster","value":"x"}`, `{"name":"title","value":"password"}`, `[["title","token"]]`, `["password","x","y"]`, `{"name":"password","label":"Your password"}`, `{"id":"password","value":""}`, `{"name":"password","value":"****"}`,
	} {
		for _, contentType := range []string{"application/json", "text/plain"} {
			if _, out, why := readContent(t, "POST", "/p/1", contentType, content); why != nil || len(out.Credentials) != 0 {
				t.Errorf("%s %s: %v, %d credentials, want none", contentType, content, why, len(out.Credentials))
			}
		}
	}
}
