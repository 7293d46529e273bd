package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// sessionInBodyTests are applications that take the session in the body.
var sessionInBodyTests = []exampleTest{
	{adapter: "sessioninbody", app: sessionInBodyApp, logsOut: true, run: runSessionInBody},
}

// sessionInBodyApp is a JSON-RPC API with one path. A call has the session in its
// member auth.
func sessionInBodyApp(a *exampleApp) http.Handler {
	type call struct {
		Method, Auth string
		Params       json.RawMessage
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(string(body), canaryHuman) {
			a.t.Errorf("I2: the application received a borrowed session (error %v): %s", err, body)
		}
		var calls []call
		if json.Unmarshal(body, &calls) != nil { // not a batch
			calls = make([]call, 1)
			if err := json.Unmarshal(body, &calls[0]); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}

		for _, c := range calls {
			user := a.userOf(c.Auth)
			switch {
			case c.Method == "user.login" && strings.Contains(string(c.Params), canaryPassword):
				fmt.Fprintf(w, `{"result": %q}`, a.createSession("agent-01"))
			case user == "":
				fmt.Fprint(w, `{"error": {"data": "Session terminated, re-login, please."}}`)
			case c.Method == "user.logout":
				a.endSession(c.Auth)
				fmt.Fprint(w, `{"result": true}`)
			default:
				a.writePage(w, r, user+" by "+c.Method)
			}
		}
	})
}

func runSessionInBody(t *testing.T, e *exampleAgent) {
	const path, rpcType = "/api_jsonrpc", "application/json-rpc"
	encode := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s,"auth":%q}`, method, params, canaryHuman)
	}
	permit := func(want, body string) {
		t.Helper()
		e.want(200, want, "POST", path, body, "Content-Type", rpcType)
	}
	refuse := func(code Code, body string) {
		t.Helper()
		e.wantRefusal(code, "POST", path, body, "Content-Type", rpcType)
	}
	get, update := encode("host.get", "{}"), encode("host.update", `{"hostid":7,"status":0}`)

	permit("agent-01 by host.get", get)
	e.want(200, "agent-01 by host.get", "POST", path, `{"method":"host.get"}`, "Content-Type", jsonType)
	permit("agent-01 by problem.get", "["+get+","+encode("problem.get", "{}")+"]")
	permit("agent-01 by host.update", update)

	refuse(ActionUnclassified, encode("host.update", `{"hostid":7,"status":0,"name":"x"}`))
	refuse(ActionUnclassified, "["+get+","+encode("user.update", "{}")+"]")
	refuse(LoginByAgent, encode("user.login", `{"user":"alice"}`))
	refuse(LoginByAgent, encode("user.logout", "[]"))
	e.wantRefusal(AmbiguousRequest, "POST", path, get, "Content-Type", "text/plain")
	refuse(AmbiguousRequest, strings.Replace(get, "auth", "Auth", 1))
	refuse(AmbiguousRequest, `{"method":"host.get","text":"`+strings.Repeat("x", 4<<20)+`"}`)

	// A safe call is sent again in a new session, another is not.
	e.app.endAllSessions()
	permit("agent-01 by host.get", get)
	e.app.endAllSessions()
	refuse(RenewNotReplayable, update)
	permit("agent-01 by host.update", update)
}
