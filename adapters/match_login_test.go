package adapters

import (
	"strings"
	"testing"
)

const rpcAdapter = `name: rpc
hosts: [rpc.example]
interim: {reason: test, owner: o@rpc.example, review_by: 2030-01-01}
login:
  kind: json
  steps: [{post: /rpc, json: {method: user.login, params: {user: "${username}", password: "${password}"}}, take: {token: {json: result}}}]
  success: {status: 200, not_body: error}
  json: {auth: "${token}"}
actions:
`

// If one path takes every call, the adapter says which calls are logins. A call that no action names stays refused.
func TestI2ALoginIsToldFromOtherCallsOfItsPath(t *testing.T) {
	const login = "  - {name: login, login: true, match: {method: POST, path: /rpc, json: {method: \"user.log*\"}}}\n"
	const read = "  - {name: read, safe: true, match: {method: POST, path: /rpc, json: {method: host.get}}, resource: hosts}\n"
	set, err := Load([]Source{{Name: "rpc.yaml", Text: []byte(rpcAdapter + login + read)}})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"method":"host.get"}`: "read hosts", `{"method":"user.login"}`: "login", `{"method":"user.logout"}`: "login", `{"method":"user.get"}`: "refused",
		`{"method":"user\u002elogin"}`: "login", `[{"method":"user.login"}]`: "refused", `{"Method":"user.login"}`: "refused", ``: "refused",
	} {
		q := Query{Method: "POST", Path: "/rpc", ContentType: "application/json", Body: []byte(body)}
		if got := verdictOf(set.ByName("rpc"), q); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
		if act, why := set.ByName("rpc").Classify(q); why == nil && act.Safe != (act.Name == "read") {
			t.Errorf("%s is safe: %v", body, act.Safe)
		}
	}
	for _, actions := range []string{read, read + strings.Replace(login, "user.log*", "user.other", 1)} {
		_, err := Load([]Source{{Name: "rpc.yaml", Text: []byte(rpcAdapter + actions)}})
		if err == nil || !strings.Contains(err.Error(), `action "read" can never be reached: the login posts to the same path`) {
			t.Errorf("a login that no action names hides what is behind it: %v", err)
		}
	}
}

const onePathAdapter = `name: one
hosts: [one.example]
interim: {reason: test, owner: o@one.example, review_by: 2030-01-01}
login:
  kind: form
  steps: [STEP]
  success: {status: 200, cookie: sid}
actions:
`

// The login of an application with one path is told from its other calls by an action with login: true, in whatever
// kind of body or query the login is sent.
func TestI2TheLoginRuleIsReplacedByAnActionOfAnyKind(t *testing.T) {
	const xmlCall = `<methodCall><methodName>%s</methodName><params><param><value><string>x</string></value></param></params></methodCall>`
	for _, c := range []struct {
		what, step, login, read, target, contentType, loginBody, other, loginTarget string
	}{
		{"form", `{post: /call, form: {do: login, user: "${username}", pass: "${password}"}}`, `form: {do: login}`, `form: {do: "{do}"}`, "/call", formType, "do=login&user=alice", "do=list", ""},
		{"query", `{post: "/call?do=login&user=${username}&pass=${password}"}`, `query: {do: login}`, `query: {do: "{do}"}`, "/call?do=list", "", "", "", "/call?do=login&user=alice"},
		{"param", `{post: "/call?do=login", form: {user: "${username}", pass: "${password}"}}`, `param: {do: login}`, `param: {do: "{do}"}`, "/call", formType, "do=login&user=alice", "do=list", ""},
		{"json", `{post: /call, json: {do: login, user: "${username}", pass: "${password}"}}`, `json: {do: login}`, `json: {do: "{do}"}`, "/call", "application/json", `{"do":"login","user":"alice"}`, `{"do":"list"}`, ""},
		{"xml", `{post: /call, body: '` + strings.Replace(xmlCall, "%s", "login", 1) + `', headers: {Content-Type: text/xml}}`, `xml: {methodCall.methodName: login}`, `xml: {methodCall.methodName: "{do}"}`, "/call", "text/xml",
			strings.Replace(xmlCall, "%s", "login", 1), strings.Replace(xmlCall, "%s", "list", 1), ""},
		{"graphql", `{post: /call, json: {query: 'mutation{login(user:"${username}",pass:"${password}"){t}}'}}`, `graphql: {type: mutation, field: login}`, `graphql: {type: query, field: list}`, "/call", "application/json", `{"query":"mutation{login(user:\"alice\"){t}}"}`, `{"query":"{list{t}}"}`, ""},
	} {
		login := "  - {name: signin, login: true, match: {method: POST, path: /call, " + c.login + "}}\n"
		read := "  - {name: list, match: {method: POST, path: /call, " + c.read + "}}\n"
		head := strings.Replace(onePathAdapter, "STEP", c.step, 1)
		set, err := Load([]Source{{Name: "one.yaml", Text: []byte(head + login + read)}})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		ask := func(target, content string) string {
			q := Query{Method: "POST", ContentType: c.contentType, Body: []byte(content), NoBody: c.contentType == ""}
			q.Path, q.RawQuery, _ = strings.Cut(target, "?")
			return verdictOf(set.ByName("one"), q)
		}
		loginTarget := c.target
		if c.loginTarget != "" {
			loginTarget = c.loginTarget
		}
		if got := ask(c.target, c.other); strings.TrimSpace(got) != "list" {
			t.Errorf("%s: another call is %s, want list", c.what, got)
		}
		if got := ask(loginTarget, c.loginBody); strings.TrimSpace(got) != "login" && strings.TrimSpace(got) != "signin" {
			t.Errorf("%s: the login is %s", c.what, got)
		}

		// Without such an action the rule stands, and hides the other calls.
		_, err = Load([]Source{{Name: "one.yaml", Text: []byte(head + read)}})
		if err == nil && c.what != "query" && c.what != "param" {
			t.Errorf("%s: the login's own rule hides list, and nothing says so", c.what)
		}
	}
}

func TestValuesThatAgreeInQueryAndFormAreClear(t *testing.T) {
	text := strings.Replace(onePathAdapter, "STEP", `{post: "/call?do=login", form: {user: "${username}", pass: "${password}"}}`, 1) +
		"  - {name: list, match: {method: POST, path: /call, param: {do: list}}}\n  - {name: show, match: {method: POST, path: /show, query: {id: \"{id}\"}, form: {id: \"{id}\"}}, resource: \"x/{id}\"}\n"
	set, err := Load([]Source{{Name: "one.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ target, content, want string }{
		{"/call?do=list", "do=list", "list"}, {"/call?do=list", "do=login", "refused"}, {"/call?do=login", "do=login", "login"}, {"/call?do=list", "a=b", "list"},
		{"/show?id=7", "id=7", "show x/7"}, {"/show?id=7", "id=8", "refused"},
	} {
		q := Query{Method: "POST", ContentType: formType, Body: []byte(c.content)}
		q.Path, q.RawQuery, _ = strings.Cut(c.target, "?")
		if got := strings.TrimSpace(verdictOf(set.ByName("one"), q)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.target, c.content, got, c.want)
		}
	}
}
