package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// needsNamespaces skips the test where this machine denies them.
func needsNamespaces(t *testing.T) {
	t.Helper()
	lookPath(t, "unshare")
	if out, err := exec.Command("unshare", "--user", "--net", "--map-current-user", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine denies namespaces: %s", out)
	}
}

// isolatedRun is what became of a program.
type isolatedRun struct {
	code           int
	stdout, stderr string
}

// runIsolated runs a program with --isolate=require. flags come before it.
func runIsolated(t *testing.T, h *installation, flags []string, program ...string) isolatedRun {
	t.Helper()
	args := append([]string{"run", "--isolate=require", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1", "--allow", "tickets:ticket.*"}, flags...)
	cmd := h.Command(t.Context(), append(append(args, "--"), program...)...)
	return runCommandLine(t, cmd)
}

func runCommandLine(t *testing.T, cmd *exec.Cmd) isolatedRun {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	r := isolatedRun{stdout: stdout.String(), stderr: stderr.String()}
	if exit != nil {
		r.code = exit.ExitCode()
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			r.code = 128 + int(status.Signal())
		}
	}
	return r
}

// withoutProxyVariables runs a script in which no variable names a proxy.
const withoutProxyVariables = `unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy; `

func TestIsolatedProgramsNeedNoProxyVariables(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "curl")
	h, _ := serve(t)

	r := runIsolated(t, h, nil, "sh", "-c", withoutProxyVariables+`curl -sS -m 20 -o /dev/null -w '%{http_code} %{remote_ip}' https://tickets.acme.example/tickets/7`)
	if r.code != 0 || !strings.HasPrefix(r.stdout, "200 ") {
		t.Errorf("curl without variables: code %d, output %q, errors %q; want 200", r.code, r.stdout, r.stderr)
	}
}

// TestI7IsolatedProgramsReachNothingElse tries to go around Byline.
func TestI7IsolatedProgramsReachNothingElse(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "curl")
	h, cfg := serve(t)

	for _, c := range []struct{ name, script, code, errors string }{
		{"an address", withoutProxyVariables + "curl -sS -m 20 http://192.0.2.1:8000/", "7", "refused|Couldn't connect"},
		{"a name without adapter", withoutProxyVariables + "curl -sS -m 20 https://other.example/", "6", "Could not resolve"},
		{"the proxy port itself", withoutProxyVariables + "curl -sS -m 20 http://" + cfg.Listen + "/", "7", "Couldn't connect|refused"},
		{"the control API", withoutProxyVariables + "curl -sS -m 20 http://" + cfg.Control.Listen + "/healthz", "7", "Couldn't connect|refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := runIsolated(t, h, nil, "sh", "-c", c.script+`; echo "code $?"`)
			if !strings.Contains(r.stdout, "code "+c.code+"\n") || !containsAny(r.stderr, c.errors) {
				t.Errorf("got output %q and errors %q; want code %s and %q", r.stdout, r.stderr, c.code, c.errors)
			}
		})
	}

	attempts := h.attempts(t)
	for _, want := range []string{"TCP 192.0.2.1:8000", "DNS other.example"} {
		if attempts[want] == 0 {
			t.Errorf("on record are %v, want %q", attempts, want)
		}
	}
}

// containsAny reports whether text contains one of the alternatives.
func containsAny(text, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// attempts returns how often each attempt to go around is on record.
func (h *installation) attempts(t *testing.T) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for r, err := range (audit.Folders{h.Path("data/audit")}).ReadAll(t.Context(), time.Time{}, nil) {
		must(t, err)
		if r.Code == "bypass_attempted" {
			counts[r.Method+" "+r.Host+r.Path] += r.Count
		}
	}
	return counts
}
