package adapters

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

const doorsJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLWFsaWNl"

// TestI2TheFieldOfALoginByEveryDoor sends the field of the login in a query, a form, JSON, XML, a GraphQL document and a
// message, alone and within others. Each is refused.
func TestI2TheFieldOfALoginByEveryDoor(t *testing.T) {
	const xmlType, jsonType = "text/xml", "application/json"
	text := strings.Replace(judgeAdapter, "actions:\n", "actions:\n"+
		"  - {name: soap, match: {method: POST, path: /soap, xml: {Envelope.Body: \"*\"}}}\n"+
		"  - {name: rpc, match: {method: POST, path: /xmlrpc, xml: {methodCall.methodName: \"*\"}}}\n", 1)
	set, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, target, contentType, content string }{
		{"GET", "/x?user[pass]=x", "", ""}, {"GET", "/x?user.pass=x", "", ""}, {"GET", "/x?a[b][pass]=x", "", ""}, {"GET", "/x?PASS[]=x", "", ""}, {"GET", "/x?%70ass=x", "", ""}, {"GET", `/x?query=mutation{login(user:"a",pass:"x")}`, "", ""},
		{"POST", "/p/1", formType, "user%5Bpass%5D=x"}, {"POST", "/p/1", formType, "a.pass=x"}, {"POST", "/p/1", "multipart/form-data; boundary=b", judgedForm("user[pass]", "x")},
		{"POST", "/p/1", formType, `query=mutation{login(user:"a",pass:"x")}`},
		{"POST", "/p/1", jsonType, `{"query":"mutation{login(user:\"alice\",pass:\"x\"){token}}"}`}, {"POST", "/p/1", jsonType, `{"query":"mutation($p:String=\"x\"){login(pass:$p)}"}`},
		{"POST", "/p/1", jsonType, `{"query":"mutation($pass:String){login(p:$pass)}","variables":{"pass":"x"}}`}, {"POST", "/p/1", jsonType, `{"query":"query{a{b(c:[{d:{pass:\"x\"}}])}}"}`}, {"POST", "/p/1", jsonType, `[{"query":"fragment f on Q{a(pass:\"\"\"x\"\"\")} {...f}"}]`},
		{"POST", "/p/1", jsonType, `[{"name":"user","value":"alice"},{"name":"pass","value":"x"}]`}, {"POST", "/p/1", jsonType, `{"fields":[{"key":"pass","value":"x"}]}`}, {"POST", "/p/1", jsonType, `{"user":{"pass":["x"]}}`},
		{"POST", "/soap", xmlType, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><login><user>alice</user><pass>x</pass></login></s:Body></s:Envelope>`},
		{"POST", "/soap", xmlType, `<Envelope><Body><login pass="x"/></Body></Envelope>`}, {"POST", "/soap", xmlType, `<Envelope><Body><param name="pass" value="x"/></Body></Envelope>`}, {"POST", "/soap", xmlType, `<Envelope><Body><param name="pass">x</param></Body></Envelope>`},
		{"POST", "/soap", xmlType, `<Envelope><Body><l><pass>x<y/></pass></l></Body></Envelope>`},
		{"POST", "/xmlrpc", xmlType, `<methodCall><methodName>login</methodName><params><param><value><struct><member><name>pass</name><value><string>x</string></value></member></struct></value></param></params></methodCall>`},
	} {
		q := Query{Method: c.method, ContentType: c.contentType, Body: []byte(c.content), NoBody: c.contentType == ""}
		q.Path, q.RawQuery, _ = strings.Cut(c.target, "?")
		action, _, why := set.ByName("app").Read(q)
		if why != nil || !action.Login {
			t.Errorf("%s %s %s: %v %v, want a login", c.method, c.target, c.content, action, why)
		}
	}
}

// The names of a login are found in every kind of step.
func TestI2TheFieldsOfALogin(t *testing.T) {
	for _, c := range []struct {
		step StepSpec
		want string
	}{
		{StepSpec{Post: "/l", Form: map[string]string{"u": "${username}", "p": "${password}"}}, "[p]"},
		{StepSpec{Post: "/l?p=${password}"}, "[p]"}, {StepSpec{Get: "/l?u=${username}&t=${totp}"}, "[t]"},
		{StepSpec{Post: "/l", JSON: map[string]any{"a": []any{map[string]any{"p": "${password}"}}}}, "[p]"},
		{StepSpec{Post: "/l", Body: "<login><user>${username|html}</user><pw kind=\"${username}\">${password|html}</pw></login>"}, "[pw]"},
		{StepSpec{Post: "/l", Body: "<l p=\"${password}\"/>"}, "[p]"}, {StepSpec{Post: "/l", Body: "<m><member><name>secret1</name><value><string>${password}</string></value></member></m>"}, "[secret1 string]"},
		{StepSpec{Post: "/l", Body: "user=${username}&pass=${password|query}"}, "[pass]"}, {StepSpec{Post: "/l", Body: `{"u": "${username}", "p": "${password|json}"}`}, "[p]"}, {StepSpec{Post: "/l", Body: "user: ${username}\npass: '${password}'\n"}, "[pass]"},
		{StepSpec{Post: "/g", JSON: map[string]any{"query": `mutation{login(user:"${username}",pw:"${password}"){t}}`}}, "[pw]"},
		{StepSpec{Post: "/g", JSON: map[string]any{"query": `mutation($w:String!){login(pw:$w){t}}`, "variables": map[string]any{"w": "${password}"}}}, "[w]"},
	} {
		if got := fmt.Sprint(loginFieldsOf(&LoginSpec{Steps: []StepSpec{c.step}})); got != c.want {
			t.Errorf("%+v: %s, want %s", c.step, got, c.want)
		}
	}

	l := &LoginSpec{Steps: []StepSpec{{Post: "/l", Headers: map[string]string{"X-User": "${username}", "X-Pass": "${password}", "Content-Type": "text/xml"}}}}
	a := small(func(s *Spec) { s.Headers.Pass = []string{"X-Pass", "X-User"} })
	a.loginHeaders = loginHeadersOf(l)
	out, _, _ := a.Strip(nil, []Field{{"X-Pass", "x"}, {"x_pass", "x"}, {"X-User", "alice"}})
	if len(out) != 1 || out[0].Name != "X-User" {
		t.Errorf("%v go on, want X-User alone: a login puts the password into X-Pass", out)
	}
}

func TestI2AuthorizationIsRemovedWhateverItHolds(t *testing.T) {
	for _, value := range []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("alice:x")), "basic\tx", "Bearer x", "x", "Negotiate YII", "Digest username=\"alice\"", ""} {
		for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION", "X-Authorization", "Proxy-Authorization", "WWW-Authenticate", "Authentication", "X-Auth"} {
			out, _, removed := small(nil).Strip(nil, []Field{{name, value}})
			if len(out) != 0 || len(removed) != 1 {
				t.Errorf("%s: %q goes on", name, value)
			}
		}
	}
}

func TestI2CredentialsByShapeAndNeighbour(t *testing.T) {
	const jsonType = "application/json"
	for _, c := range []struct{ contentType, content, name string }{
		{formType, "code=abc123&state=xyz", "code"}, {formType, "state=xyz&code=SplxlOBeZQQYbYS6WxSbIA", "code"}, {formType, "pin=1234", "pin"}, {formType, "tok=x", "tok"}, {formType, "text=PHPSESSID%3Dabcdef0123456789", "text"},
		{formType, "text=see+" + doorsJWT + "+ok", "text"}, {formType, "url=https%3A%2F%2Falice%3Ahunter22%40x%2F", "url"}, {formType, "a=" + base64.StdEncoding.EncodeToString([]byte(doorsJWT)), "a"}, {formType, "a=" + strings.ReplaceAll(doorsJWT, ".", "%25252E"), "a"},
		{jsonType, `{"code":"SplxlOBeZQQYbYS6WxSbIA"}`, "code"}, {jsonType, `[{"name":"access_token","value":"abc"}]`, "access_token"}, {jsonType, `{"key":"` + doorsJWT + `","value":"x"}`, "key"}, {jsonType, `{"key":"abc"}`, "key"},
		{jsonType, `{"query":"{a(apiKey:\"abc\"){b}}"}`, "apiKey"}, {jsonType, `{"text":"the token is ` + doorsJWT + `"}`, "text"}, {jsonType, `{"doc":{"a":["x",{"b":"Bearer abc"}]}}`, "b"},
		{formType, "SAMLResponse=PHNhbWxwOlJlc3BvbnNl", "SAMLResponse"}, {formType, "x=PHNhbWxwOlJlc3BvbnNlIHhtbG5zPSJ1cm46b2FzaXM6bmFtZXM6dGM6U0FNTDoyLjA6cHJvdG9jb2wiLz4%3D", "x"},
	} {
		_, out, why := judgeRequest(t, "/p/1", c.contentType, c.content)
		if why != nil || len(out.Credentials) != 1 || out.Credentials[0].Name != c.name {
			t.Errorf("%s: %v, %d credentials, want one called %q", c.content, why, len(out.Credentials), c.name)
		}
	}
	for _, c := range []struct{ contentType, content string }{
		{formType, "code=DE&state=CA"}, {formType, "code=90210&state=CA"}, {formType, "code=SUMMER&state=active"}, {formType, "pin=true"}, {formType, "code=print%281%29"}, {jsonType, `{"key":"color","value":"red"}`}, {jsonType, `[{"key":"due","value":"2030-01-01"}]`},
		{jsonType, `{"query":"{page(id:7,title:\"Token economy\"){text}}"}`}, {jsonType, `{"query":"token economy"}`}, {formType, "query=key%3Avalue"}, {jsonType, `{"text":"write Authorization: Bearer <token>"}`}, {jsonType, `{"code":"ERR_2"}`},
		{formType, "text=%7B%22title%22%3A%22a%22%7D"}, {formType, "text=" + base64.StdEncoding.EncodeToString([]byte("# Title\n\nplain words")) + ""},
	} {
		action, out, why := judgeRequest(t, "/p/1", c.contentType, strings.ReplaceAll(c.content, "=\n", "%3D"))
		if why != nil || action.Name != "page.edit" || len(out.Credentials) > 0 {
			t.Errorf("%s: %v %v, %v, want page.edit and no credential", c.content, action, why, out.Credentials)
		}
	}

	a := small(nil)
	if _, removed := a.StripQuery(doorsJWT + "=1&a=2"); len(removed) != 1 || removed[0].Name != "(a token)" {
		t.Errorf("%v was removed, want one parameter whose name is not shown", removed)
	}
	for query, want := range map[string]string{
		doorsJWT: "", doorsJWT + "&a=1": "a=1", "s%2569d=x&a=1": "a=1",
		"code=abc123&state=xyz": "state=xyz", "state=xyz&code=abc123&a=1": "state=xyz&a=1", "state=CA&code=90210": "state=CA&code=90210", "code=DE": "code=DE", "code=SplxlOBeZQQYbYS6WxSbIA": "", "pin=1234&a=1": "a=1", "tok=x&a=1": "a=1", "ticket=ST-1-abc": "",
		"next=" + doorsJWT: "", "q=see%20" + doorsJWT + "%20ok&a=1": "a=1", "a=%2525": "a=%2525", `query={a(token:"abc")}&a=1`: "a=1", "query=token+economy": "query=token+economy", "a=session%3DSeSsIoN0001&b=1": "b=1",
	} {
		if got, _ := a.StripQuery(query); got != want {
			t.Errorf("%s became %s, want %s", query, got, want)
		}
	}
}
