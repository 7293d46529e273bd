package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// otherHabits are those of applications that were met after the first four.
var otherHabits = []habit{
	{example: "sessioninbody", app: bodySessionApp, logsOut: true, drive: driveBodySession},
	{example: "nestedfields", app: nestedApp, logsOut: true, drive: driveNested},
	{example: "webdav", app: basicApp, drive: driveWebDAV},
}

type rpcCall struct {
	Method, Auth string
	Params       json.RawMessage
}

// bodySessionApp knows a session by the member auth of every call, under one path.
func bodySessionApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if strings.Contains(string(b), canaryHuman) || err != nil {
			s.t.Errorf("I2: the application got %s (%v)", b, err)
		}
		var calls []rpcCall
		if json.Unmarshal(b, &calls) != nil {
			calls = make([]rpcCall, 1)
			if err := json.Unmarshal(b, &calls[0]); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		for _, c := range calls {
			user := s.user(c.Auth)
			switch {
			case c.Method == "user.login" && strings.Contains(string(c.Params), canaryPassword):
				fmt.Fprintf(w, `{"result": %q}`, s.open("agent-01"))
			case user == "":
				fmt.Fprint(w, `{"error": {"data": "Session terminated, re-login, please."}}`)
			case c.Method == "user.logout":
				s.close(c.Auth)
				fmt.Fprint(w, `{"result": true}`)
			default:
				s.page(w, r, user+" by "+c.Method)
			}
		}
	})
}

func driveBodySession(_ *testing.T, v *visit) {
	call := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s,"auth":%q}`, method, params, canaryHuman)
	}
	const at, rpc = "/api_jsonrpc", "application/json-rpc"
	get := call("host.get", "{}")
	v.want(200, "agent-01 by host.get", "POST", at, get, "Content-Type", rpc)
	v.want(200, "agent-01 by host.get", "POST", at, `{"method":"host.get"}`, "Content-Type", jsonType)
	v.want(200, "agent-01 by problem.get", "POST", at, "["+get+","+call("problem.get", "{}")+"]", "Content-Type", rpc)
	v.want(200, "agent-01 by host.update", "POST", at, call("host.update", `{"hostid":7,"status":0}`), "Content-Type", rpc)
	v.refused(ActionUnclassified, "POST", at, call("host.update", `{"hostid":7,"status":0,"name":"x"}`), "Content-Type", rpc)
	v.refused(ActionUnclassified, "POST", at, "["+get+","+call("user.update", "{}")+"]", "Content-Type", rpc)
	v.refused(LoginByAgent, "POST", at, call("user.login", `{"user":"alice"}`), "Content-Type", rpc)
	v.refused(LoginByAgent, "POST", at, call("user.logout", "[]"), "Content-Type", rpc)
	v.refused(AmbiguousRequest, "POST", at, get, "Content-Type", "text/plain")
	v.refused(AmbiguousRequest, "POST", at, strings.Replace(get, "auth", "Auth", 1), "Content-Type", rpc)
	v.refused(AmbiguousRequest, "POST", at, `{"method":"host.get","text":"`+strings.Repeat("x", peekLimit)+`"}`, "Content-Type", rpc)
	// What is safe is sent again in a new session; what is not, is not.
	v.saas.kill()
	v.want(200, "agent-01 by host.get", "POST", at, get, "Content-Type", rpc)
	v.saas.kill()
	v.refused(RenewNotReplayable, "POST", at, call("host.update", `{"hostid":7,"status":0}`), "Content-Type", rpc)
	v.want(200, "agent-01 by host.update", "POST", at, call("host.update", `{"hostid":7,"status":0}`), "Content-Type", rpc)
}

// nestedApp is as Rails has it: a token for each form, and a cookie that remembers.
func nestedApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := s.user(cookieOf(r, "autologin"))
		switch {
		case r.Method == "GET" && r.URL.Path == "/login":
			http.SetCookie(w, &http.Cookie{Name: "_app", Value: "before-login", Path: "/"})
			fmt.Fprint(w, `<form id=login method=post><input type=hidden name=authenticity_token value="a+b/c=="></form>`)
		case r.URL.Path == "/login":
			if r.FormValue("authenticity_token") != "a+b/c==" || cookieOf(r, "_app") != "before-login" || r.FormValue("password") != canaryPassword {
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "autologin", Value: s.open("agent-01"), Path: "/"})
			http.Redirect(w, r, "/my/page", http.StatusFound)
		case user == "":
			http.Redirect(w, r, "/login?back_url="+r.URL.Path, http.StatusFound)
		case r.URL.Path == "/my/page":
			fmt.Fprint(w, `<meta name="csrf-token" content="x+y">`)
		case r.URL.Path == "/logout" && r.FormValue("authenticity_token") == "x+y":
			s.close(cookieOf(r, "autologin"))
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			s.page(w, r, user+" with "+r.FormValue("issue[notes]"))
		}
	})
}

// Whoever writes an adapter is told what was in the way, and nothing that the agent made up.
func TestI1TheLogSaysWhyNoActionFits(t *testing.T) {
	h := habit{example: "nestedfields", app: nestedApp}
	h.drive = func(_ *testing.T, v *visit) {
		v.refused(ActionUnclassified, "POST", "/issues/7?canary-name=canary-value", "_method=patch&canary-name=1", "Content-Type", form)
	}
	h.says = `"near":["issue.edit: only does not list the parameter …"`
	h.run(t)
}

func driveNested(t *testing.T, v *visit) {
	reads("/issues/7")(t, v)
	edit := "_method=patch&authenticity_token=t&issue%5Bis_private%5D=0&issue%5Bis_private%5D=1&issue%5Bnotes%5D=seen"
	v.want(200, "agent-01 with seen", "POST", "/issues/7", edit, "Content-Type", form)
	v.refused(OutOfScope, "POST", "/issues/7", edit+"&issue%5Bproject_id%5D=2", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/issues/7", edit+"&issue%5Bproject_id%5D%5B%5D=2", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/issues/7", edit+"&Issue%5Bproject_id%5D=2", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/issues/7", edit+"&issue=2", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/issues/7", edit+"&admin=1", "Content-Type", form)
	v.want(200, "/wiki of agent-01", "POST", "/wiki?id=start", "id=start&text=x&do%5Bsave%5D=1", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/wiki?id=start", "id=other&do%5Bsave%5D=1", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/wiki?id=start", "id=start&do%5Bsave%5D=1&do%5Bdelete%5D=1", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/wiki?id=Start", "id=Start&do%5Bsave%5D=1", "Content-Type", form)
}

func driveWebDAV(_ *testing.T, v *visit) {
	v.want(200, "of agent-01", "PROPFIND", "/a/work/", "<propfind/>", "Content-Type", "application/xml", "Depth", "1")
	v.want(200, "of agent-01", "PUT", "/a/work/1.ics", "BEGIN:VCALENDAR", "Content-Type", "text/calendar")
	v.want(200, "of agent-01", "MOVE", "/a/work/1.ics", "", "Destination", "https://example.com/a/work/2.ics")
	v.want(200, "of agent-01", "MOVE", "/a/work/1.ics", "", "Destination", "/a/work/2.ics")
	for _, to := range []string{"/a/home/2.ics", "/a/work/../home/2.ics", "/a/work/x/2.ics", "/a/work/%2e%2e%2fhome%2f2.ics", "/a/work/2.ics?x=.ics",
		"https://example.com/b/work/2.ics", "https://other.example/a/work/2.ics", "//other.example/a/work/2.ics", ""} {
		v.refused(ActionUnclassified, "MOVE", "/a/work/1.ics", "", "Destination", to)
	}
	v.refused(OutOfScope, "DELETE", "/a/work/", "")
	v.refused(ActionUnclassified, "PROPPATCH", "/a/work/", "<x/>", "Content-Type", "application/xml")
}
