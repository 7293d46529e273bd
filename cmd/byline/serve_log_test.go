package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plainLog returns a log in JSON as text, as byline writes errors to people. It fails
// the test if a line is not one JSON object.
func plainLog(t *testing.T, log string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(log) {
		var m struct{ Message, Error, Problem, Hint, Text, Level, Time string }
		d := json.NewDecoder(strings.NewReader(line))
		if err := d.Decode(&m); err != nil || d.More() || !strings.HasSuffix(line, "\n") {
			t.Errorf("this line of the log is not one JSON object: %v: %q", err, line)
		}
		if m.Level == "" || m.Time == "" || m.Message == "" {
			t.Errorf("this line of the log lacks level, time or message: %q", line)
		}
		fmt.Fprintf(&b, "byline: %s\n", m.Message)
		for _, text := range []string{m.Error, m.Problem, m.Text} {
			if text != "" {
				fmt.Fprintln(&b, text)
			}
		}
		if m.Hint != "" {
			fmt.Fprintln(&b, "hint: "+m.Hint)
		}
	}
	return b.String()
}

// TestEveryLineOfTheLogIsJSON starts servers that fail, at each stage of the start.
func TestEveryLineOfTheLogIsJSON(t *testing.T) {
	good := initialize(t)
	for _, c := range []struct {
		name string
		args []string
		edit edit
		code int
		want string
	}{
		{"an unknown flag", []string{"--bogus"}, nil, 2, "serve: unknown flag: --bogus\nhint: byline serve --help"},
		{"an argument", []string{"now"}, nil, 2, `unknown command "now" for "byline serve"`},
		{"no configuration", []string{"--config", "none.yaml"}, nil, 1, "there is no configuration file at none.yaml\nhint: name the file"},
		{"not YAML", nil, appendTo("byline.yaml", "\nlog: [\n"), 1, "did not find expected node content"},
		{"two problems", nil, all(appendTo("byline.yaml", "\nlisen: 1\n"), replace("byline.yaml", "level: info", "level: loud")), 1,
			`log.level: "loud" is not one of debug, info, warn, error`},
		{"control characters", nil, appendTo("byline.yaml", "\n\"a\\x1b[31m\\nb\": 1\n"), 1, "is not a known key"},
		{"a bad policy", nil, write("policies.d/x.cedar", "permit (\n"), 1, "x.cedar"},
		{"a bad adapter", nil, write("adapters.d/x.yaml", "name: [\n"), 1, "x.yaml"},
		{"no audit key", nil, remove("data/audit.key"), 1, "audit.key_file"},
		{"a certificate of another kind", nil, appendTo("byline.yaml", "\ntls: {cert: byline.yaml, key: byline.yaml}\n"), 1, "tls"},
		{"a state that is damaged", nil, write("data/state.db", strings.Repeat("x", 100_000)), 1, "state.db"},
		{"a record that is a file", nil, all(remove("data/audit"), write("data/audit", "x")), 1, "audit"},
		{"an address in use", nil, listenElsewhere, 1, "bind: "},
		{"a crash file that is a folder", nil, all(makeFolder("data/crash.txt"), listenElsewhere), 1, "bind: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good.copy(t)
			if c.edit != nil {
				c.edit(t, h)
			}
			cmd := h.Command(t.Context(), append([]string{"serve"}, c.args...)...)
			cmd.Dir = h.Dir
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if text := plainLog(t, string(out)); !strings.Contains(text, c.want) {
				t.Errorf("the log lacks %q:\n%s", c.want, text)
			}
		})
	}
}

// TestEveryLineOfARunningServerIsJSON sends what makes libraries speak, crashes the
// server, and looks at the log of both processes.
func TestEveryLineOfARunningServerIsJSON(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			h, cfg := serveAfter(t, replace("byline.yaml", "format: text", "format: json"))
			for _, garbage := range []string{"\x16\x03\x01\x00\x05hello", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\x05\x01\x00", "\x00\xff"} {
				sendRaw(t, cfg.Listen, garbage)
				sendRaw(t, cfg.Control.Listen, garbage)
			}
			h.reloadJSON(t)

			must(t, h.Server.Process.Signal(sig))
			_ = h.Stop() // it has crashed
			before := h.read(t, "serve.log")
			plainLog(t, before)
			if strings.Contains(before, "\ngoroutine ") {
				t.Errorf("the trace of the crash is in the log as text: %s", before)
			}
			info, err := os.Stat(filepath.Join(cfg.DataDir, "crash.txt"))
			must(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("mode of crash.txt: %v, want 0600", info.Mode())
			}

			must(t, h.Serve(t.Context()))
			log := h.read(t, "serve.log")
			text := plainLog(t, log)
			if !strings.Contains(text, "the process before this one crashed\n") || !strings.Contains(text, "goroutine ") {
				t.Errorf("the next start does not tell of the crash: %s", text)
			}
			must(t, h.Stop())
			must(t, h.Serve(t.Context()))
			if n := bytes.Count([]byte(h.read(t, "serve.log")), []byte("the process before this one crashed")); n > 1 {
				t.Errorf("the crash is told %d times, want once", n)
			}
		})
	}
}

// listenElsewhere names an address that this machine does not have.
func listenElsewhere(t *testing.T, h *installation) {
	text := h.read(t, "byline.yaml")
	h.write(t, "byline.yaml", regexp.MustCompile(`(?m)^listen: \S+`).ReplaceAllString(text, "listen: 192.0.2.1:1"))
}

// reloadJSON is reload for a server whose log is in JSON.
func (h *installation) reloadJSON(t *testing.T) {
	t.Helper()
	must(t, h.Server.Process.Signal(syscall.SIGHUP))
	for end := time.Now().Add(30 * time.Second); !strings.Contains(h.read(t, "serve.log"), `"message":"reloaded"`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server has not reloaded: %s", h.read(t, "serve.log"))
		}
	}
}

// sendRaw sends bytes to an address and reads what comes back.
func sendRaw(t *testing.T, address, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = conn.Write([]byte(text))
	_, _ = conn.Read(make([]byte, 1024))
}
