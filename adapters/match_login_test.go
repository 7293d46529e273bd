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
