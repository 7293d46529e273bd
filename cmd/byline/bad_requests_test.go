package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/configs"
)

// TestI10ASecondServerIsTurnedAway starts a second server that shares an address, the
// socket, the state or the record with the first. The first continues to run.
func TestI10ASecondServerIsTurnedAway(t *testing.T) {
	h, cfg := serve(t)
	own := h.read(t, "byline.yaml")

	ports, err := demo.FreePorts(2)
	must(t, err)
	otherPorts := strings.NewReplacer(
		cfg.Listen, "127.0.0.1:"+ports[0],
		cfg.Control.Listen, "127.0.0.1:"+ports[1],
	).Replace(own)
	otherSocket := strings.Replace(otherPorts, "\ncontrol:\n", "\ncontrol:\n  socket: other.sock\n", 1)
	otherData := strings.NewReplacer(
		"data_dir: data ", "data_dir: data2 ",
		"\naudit:\n", "\naudit:\n  dir: data/audit\n",
	).Replace(otherSocket)
	copyDataFolder(t, h)

	for _, c := range []struct{ name, config, want, remedy string }{
		{"the same address", own,
			"listen: listen tcp " + cfg.Listen + ": bind: address already in use", "listen and control.listen name the addresses"},
		{"the same control address", strings.Replace(otherPorts, "  listen: ", "  listen: "+cfg.Control.Listen+" # ", 1),
			"control.listen: ", "listen and control.listen name the addresses"},
		{"the same socket", otherPorts,
			"control.socket: a server answers at " + cfg.Control.Socket, "another process may listen there"},
		{"the same state", otherSocket,
			"state.db is open in another process", "give this one its own data_dir"},
		{"the same record", otherData,
			"audit: ", "another process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.write(t, "second.yaml", c.config)
			code, out := h.exitCode(t, "serve", "--config", h.Path("second.yaml"))
			if code != 1 || !strings.Contains(out, "byline: serve: ") || !strings.Contains(out, c.want) || !strings.Contains(out, c.remedy) {
				t.Errorf("the second server exits with %d, want 1 with %q and %q:\n%s", code, c.want, c.remedy, out)
			}
			h.run(t, "", "task", "list") // by the first server
		})
	}
}

// copyDataFolder copies keys and certificates to data2, for a server that shares only the
// folder of records.
func copyDataFolder(t *testing.T, h *installation) {
	t.Helper()
	must(t, os.MkdirAll(h.Path("data2"), 0o700))
	must(t, os.CopyFS(h.Path("data2", "certs"), os.DirFS(h.Path("data", "certs"))))
	for _, name := range []string{"certs/root.key", "certs/issuing.key", "vault.key", "vault", "audit.key"} {
		h.write(t, "data2/"+name, h.read(t, "data/"+name))
		must(t, os.Chmod(h.Path("data2", name), 0o600))
	}
}

// TestI10BadTasksAreNamedWithTheirRemedy sends bad specs to a real server.
func TestI10BadTasksAreNamedWithTheirRemedy(t *testing.T) {
	h, _ := serve(t)
	const good = `{"agent":"a","sponsor":"s","purpose":"p","scope":[{"adapter":"tickets","actions":["ticket.read"]}]}`
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }

	const form, correct = "byline task create --help shows the form", "correct what is named and send the task again"
	for _, c := range []struct{ name, spec, want, remedy string }{
		{"nothing", ``, "EOF", form},
		{"truncated JSON", `{"agent":`, "unexpected EOF", form},
		{"an unknown field", with(`"agent"`, `"agnet"`), `unknown field "agnet"`, form},
		{"two specs", good + good, "something follows", form},
		{"no sponsor", with(`"sponsor":"s"`, `"sponsor":""`), "sponsor", correct},
		{"no scope", `{"agent":"a","sponsor":"s","purpose":"p","scope":[]}`, "scope", correct},
		{"a word as time to live", with(`"agent"`, `"ttl":"soon","agent"`), "ttl", correct},
		{"a time to live above the maximum", with(`"agent"`, `"ttl":"9000h","agent"`), "ttl", correct},
		{"an unknown adapter", with("tickets", "tickest"), `scope[0].adapter: no adapter is named "tickest" (known: tickets)`, correct},
		{"an unknown action", with("ticket.read", "ticket.raed"), `scope[0].actions: tickets has no action "ticket.raed"`, correct},
		{"control characters", with(`"purpose":"p"`, `"purpose":"p\u001b[2J"`), "purpose", correct},
		{"a body that is too large", with(`"purpose":"p"`, `"purpose":"`+strings.Repeat("p", 300<<10)+`"`), "longer than", "send less"},
		{"many problems", `{"agent":"","sponsor":"","purpose":"p","ttl":"soon","scope":[{"adapter":"x","actions":["y"]}]}`,
			"agent: is missing; give one like \"spiffe://acme.example/agent/triage\"\n" +
				"sponsor: is missing; give one like \"alice@acme.example\"\n" +
				"ttl: \"soon\" is not a time above zero and at most 24h0m0s; write it like 30m\n" +
				"scope[0].adapter: no adapter", correct},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.write(t, "task.json", c.spec)
			code, out := h.exitCode(t, "task", "create", h.Path("task.json"))
			if code != 1 || !strings.Contains(out, "byline: control: ") || !strings.Contains(out, c.want) || !strings.Contains(out, "hint: "+c.remedy) {
				t.Errorf("byline task create exits with %d, want 1 with %q and the hint %q:\n%s", code, c.want, c.remedy, out)
			}
		})
	}
	h.run(t, good, "task", "create", "-")
}

// TestI10BadCredentialsAreAnsweredWithACode connects to the proxy port of a real server
// with wrong credentials of every kind, and to hosts that have no adapter.
func TestI10BadCredentialsAreAnsweredWithACode(t *testing.T) {
	h, cfg := serve(t)
	task, other, ended := h.createTask(t), h.createTask(t), h.createTask(t)
	h.run(t, "", "task", "end", ended.ID)

	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	basic := func(user, password string) string { return "Basic " + encode(user+":"+password) }
	for _, c := range []struct {
		name, credentials, host string
		status                  int
		code                    string
	}{
		{"none", "", demo.Host, 407, "auth_required"},
		{"no scheme", task.Token, demo.Host, 407, "auth_required"},
		{"not base64", "Basic %%%", demo.Host, 407, "auth_required"},
		{"no colon", "Basic " + encode(task.ID), demo.Host, 407, "auth_required"},
		{"an unknown task", basic("t_none", task.Token), demo.Host, 407, "auth_required"},
		{"another task's token", basic(task.ID, other.Token), demo.Host, 407, "auth_required"},
		{"a token without its last character", basic(task.ID, task.Token[:len(task.Token)-1]), demo.Host, 407, "auth_required"},
		{"an unknown bearer token", "Bearer bla_x", demo.Host, 407, "auth_required"},
		{"a task that ended", basic(ended.ID, ended.Token), demo.Host, 403, "task_ended"},
		{"a host without adapter", basic(task.ID, task.Token), "elsewhere.acme.example", 403, "host_not_adapted"},
		{"no host", basic(task.ID, task.Token), "", 400, "ambiguous_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, code, body := connect(t, cfg, c.host+":443", c.credentials)
			if status != c.status || code != c.code {
				t.Errorf("CONNECT is answered %d %q, want %d %q: %s", status, code, c.status, c.code, body)
			}
			if strings.Contains(body, task.Token) || strings.Contains(body, other.Token) {
				t.Error("the answer holds a token")
			}
		})
	}

	if status, code, _ := connect(t, cfg, demo.Host+":443", "Bearer "+task.Token); status != 200 {
		t.Errorf("CONNECT with the token alone is answered %d %s, want 200", status, code)
	}
}

// connect asks for a tunnel, as any agent does, and returns the answer.
func connect(t *testing.T, cfg *configs.Config, authority, credentials string) (status int, code, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", cfg.Listen)
	must(t, err)
	defer conn.Close()

	return requestTunnel(t, conn, authority, credentials)
}

// requestTunnel sends CONNECT and reads the answer. With status 200 the tunnel begins
// after it.
func requestTunnel(t *testing.T, conn net.Conn, authority, credentials string) (status int, code, body string) {
	t.Helper()
	head := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if credentials != "" {
		head += "Proxy-Authorization: " + credentials + "\r\n"
	}
	_, err := io.WriteString(conn, head+"\r\n")
	must(t, err)

	must(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	must(t, err)
	if res.StatusCode == http.StatusOK {
		return res.StatusCode, "", ""
	}
	return readProblem(t, res)
}

// readProblem returns status, code and body of an answer. The code is empty if the body is
// not a problem document.
func readProblem(t *testing.T, res *http.Response) (status int, code, body string) {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)

	var p struct{ Code string }
	_ = json.Unmarshal(b, &p)
	return res.StatusCode, p.Code, string(b)
}
