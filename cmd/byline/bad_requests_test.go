package main

import (
	"encoding/base64"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// TestI10ASecondServerIsTurnedAway starts a second server on the state, the
// record, the socket or an address of the first. The first goes on.
func TestI10ASecondServerIsTurnedAway(t *testing.T) {
	h, cfg := serving(t)
	elsewhere := func(keys ...string) string { // the same installation, but for what keys say
		ports, err := demo.FreePorts(2)
		must(t, err)
		text := strings.Replace(h.read(t, "byline.yaml"), cfg.Listen, "127.0.0.1:"+ports[0], 1)
		return strings.Replace(text, cfg.Control.Listen, "127.0.0.1:"+ports[1], 1) + strings.Join(keys, "\n") + "\n"
	}
	inControl := func(text, more string) string {
		return strings.Replace(text, "\ncontrol:\n", "\ncontrol:\n  "+more+"\n", 1)
	}
	for _, c := range []struct{ name, config, want, remedy string }{
		{"an address", h.read(t, "byline.yaml"), "listen: listen tcp " + cfg.Listen + ": bind: address already in use", "listen and control.listen name the addresses"},
		{"the control address", strings.Replace(elsewhere(), "  listen: ", "  listen: "+cfg.Control.Listen+" # ", 1), "control.listen: ", "listen and control.listen name the addresses"},
		{"the socket", elsewhere(), "control.socket: a server answers at " + cfg.Control.Socket, "another process may listen there"},
		{"the state", inControl(elsewhere(), "socket: other.sock"), "state.db is open in another process", "give this one its own data_dir"},
		{"the record", strings.Replace(inControl(elsewhere(), "socket: other.sock"), "data_dir: data ", "data_dir: data2 ", 1), "audit: ", "another process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "the record" { // all its own but the folder of records
				must(t, os.MkdirAll(h.Path("data2"), 0o700))
				must(t, os.CopyFS(h.Path("data2", "certs"), os.DirFS(h.Path("data", "certs"))))
				must(t, os.Chmod(h.Path("data2", "certs", "root.key"), 0o600))
				must(t, os.Chmod(h.Path("data2", "certs", "issuing.key"), 0o600))
				for _, name := range []string{"vault.key", "vault", "audit.key"} {
					h.write(t, "data2/"+name, h.read(t, "data/"+name))
				}
				c.config = strings.Replace(c.config, "\naudit:\n", "\naudit:\n  dir: data/audit\n", 1)
			}
			h.write(t, "second.yaml", c.config)
			code, out := h.exit(t, "serve", "--config", h.Path("second.yaml"))
			if code != 1 || !strings.Contains(out, "byline: serve: ") || !strings.Contains(out, c.want) || !strings.Contains(out, c.remedy) {
				t.Errorf("exit %d; want %q and %q in:\n%s", code, c.want, c.remedy, out)
			}
			if out, err := h.Run(t.Context(), "", "task", "list"); err != nil {
				t.Errorf("the first server: %v %s", err, out)
			}
		})
	}
}

// TestI10BadTasksAreNamedWithTheirRemedy sends specs to a real server.
func TestI10BadTasksAreNamedWithTheirRemedy(t *testing.T) {
	h, _ := serving(t)
	const good = `{"agent":"a","sponsor":"s","purpose":"p","scope":[{"adapter":"tickets","actions":["ticket.read"]}]}`
	for _, c := range []struct{ name, spec, want, remedy string }{
		{"nothing", ``, "EOF", "byline task create --help shows the form"},
		{"not JSON", `{"agent":`, "unexpected EOF", "byline task create --help shows the form"},
		{"an unknown field", strings.Replace(good, `"agent"`, `"agnet"`, 1), `unknown field "agnet"`, "byline task create --help shows the form"},
		{"two specs", good + good, "something follows", ""},
		{"no sponsor", strings.Replace(good, `"sponsor":"s"`, `"sponsor":""`, 1), "sponsor", "correct what is named and send the task again"},
		{"no scope", `{"agent":"a","sponsor":"s","purpose":"p","scope":[]}`, "scope", "correct what is named"},
		{"a time to live that is none", strings.Replace(good, `"agent"`, `"ttl":"soon","agent"`, 1), "ttl", "correct what is named"},
		{"a time to live without end", strings.Replace(good, `"agent"`, `"ttl":"9000h","agent"`, 1), "ttl", "correct what is named"},
		{"an unknown adapter", strings.Replace(good, "tickets", "tickest", 1), `scope[0].adapter: no adapter is named "tickest" (known: tickets)`, "correct what is named"},
		{"an unknown action", strings.Replace(good, "ticket.read", "ticket.raed", 1), `scope[0].actions: tickets has no action "ticket.raed"`, "correct what is named"},
		{"control characters", strings.Replace(good, `"purpose":"p"`, `"purpose":"p\u001b[2J"`, 1), "purpose", "correct what is named"},
		{"far too much", strings.Replace(good, `"purpose":"p"`, `"purpose":"`+strings.Repeat("p", 300<<10)+`"`, 1), "longer than", "send less"},
		{"all at once", `{"agent":"","sponsor":"","purpose":"p","ttl":"soon","scope":[{"adapter":"x","actions":["y"]}]}`, "agent: is missing; give one like \"spiffe://acme.example/agent/triage\"\nsponsor: is missing; give one like \"alice@acme.example\"\nttl: \"soon\" is not a time above zero and at most 24h0m0s; write it like 30m\nscope[0].adapter: no adapter", "correct what is named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.write(t, "task.json", c.spec)
			code, out := h.exit(t, "task", "create", h.Path("task.json"))
			if code != 1 || !strings.Contains(out, "byline: control: ") || !strings.Contains(out, c.want) || !strings.Contains(out, "hint: "+c.remedy) {
				t.Errorf("exit %d; want %q and %q in:\n%s", code, c.want, c.remedy, out)
			}
		})
	}
	if out, err := h.Run(t.Context(), good, "task", "create", "-"); err != nil {
		t.Errorf("the good one: %v\n%s", err, out)
	}
}

// TestI10BadCredentialsAreAnsweredWithACode asks the proxy port of a real
// server with credentials of every wrong kind, and for hosts that have none.
func TestI10BadCredentialsAreAnsweredWithACode(t *testing.T) {
	h, cfg := serving(t)
	id, token := h.task(t)
	_, foreign := h.task(t)
	over, overToken := h.task(t)
	if out, err := h.Run(t.Context(), "", "task", "end", over); err != nil {
		t.Fatal(err, out)
	}
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, c := range []struct {
		name, credentials, host string
		status                  int
		code                    string
	}{
		{"none", "", demo.Host, 407, "auth_required"},
		{"no scheme", token, demo.Host, 407, "auth_required"},
		{"not base64", "Basic %%%", demo.Host, 407, "auth_required"},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte(id)), demo.Host, 407, "auth_required"},
		{"an unknown task", basic("t_none", token), demo.Host, 407, "auth_required"},
		{"another task's token", basic(id, foreign), demo.Host, 407, "auth_required"},
		{"a token but for its end", basic(id, token[:len(token)-1]), demo.Host, 407, "auth_required"},
		{"a bearer that is none", "Bearer bla_x", demo.Host, 407, "auth_required"},
		{"a task that ended", basic(over, overToken), demo.Host, 403, "task_ended"},
		{"a host without adapter", basic(id, token), "elsewhere.acme.example", 403, "host_not_adapted"},
		{"no host", basic(id, token), "", 400, "ambiguous_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, code, body := connect(t, cfg, c.host+":443", c.credentials)
			if status != c.status || code != c.code {
				t.Errorf("got %d %q, want %d %q: %s", status, code, c.status, c.code, body)
			}
			if strings.Contains(body, token) || strings.Contains(body, foreign) {
				t.Error("the answer holds a token")
			}
		})
	}
	if status, _, _ := connect(t, cfg, demo.Host+":443", "Bearer "+token); status != 200 {
		t.Errorf("the token alone: %d", status)
	}
}

// task makes one and returns its id and token.
func (h *installation) task(t *testing.T) (id, token string) {
	t.Helper()
	out, err := h.Run(t.Context(), "", "task", "create", "--json", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1", "--allow", "tickets:ticket.*")
	if err != nil {
		t.Fatal(err)
	}
	var made admin.Task
	fromJSON(t, out, &made)
	return made.ID, made.Token
}

// connect asks for a tunnel as any agent does.
func connect(t *testing.T, cfg *configs.Config, authority, credentials string) (status int, code, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", cfg.Listen)
	must(t, err)
	defer conn.Close()
	head := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if credentials != "" {
		head += "Proxy-Authorization: " + credentials + "\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		t.Fatal(err)
	}
	return answered(t, conn)
}
