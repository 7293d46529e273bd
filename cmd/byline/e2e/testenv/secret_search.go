package testenv

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// SearchForSecrets fails t for each place where a secret is found that must not
// be there:
//
//   - account secrets, tokens and borrowed cookies in the files of the
//     installation, such as logs, records, state and core files, and in the
//     command lines of all processes of the machine;
//   - account secrets and tokens in the environment of the running server;
//   - account secrets in everything that agents and operators were shown;
//   - borrowed cookies and tokens in the requests that reached an application.
func (e *Env) SearchForSecrets(t testing.TB) {
	t.Helper()

	for _, app := range e.apps {
		for _, c := range app.CookiesSet() {
			for _, value := range secretParts(c) {
				e.secrets.addAccountSecret("session cookie "+c.Name+" of "+app.Name, value)
			}
		}
	}

	e.secrets.mu.Lock()
	defer e.secrets.mu.Unlock()

	everything := newIndex(e.secrets.accounts, e.secrets.tokens, e.secrets.borrowed)
	e.searchFiles(t, everything)
	searchCommandLines(t, everything)
	if e.server != nil && e.server.isRunning() {
		searchProcessEnvironment(t, e.ServerPID(), newIndex(e.secrets.accounts, e.secrets.tokens))
	}

	accounts := newIndex(e.secrets.accounts)
	for _, entry := range e.transcript.all() {
		if what := accounts.find(entry.text); what != "" {
			t.Errorf("I1: %s contains %s", entry.source, what)
		}
	}

	lent := newIndex(e.secrets.borrowed, e.secrets.tokens)
	for _, app := range e.apps {
		searchRequests(t, app, app.Requests(), lent)
	}
}

func searchRequests(t testing.TB, app *apps.App, requests []apps.Request, ix *index) {
	t.Helper()
	for _, r := range requests {
		if what := ix.find(serialize(r)); what != "" {
			t.Errorf("I2: %s received %s in %s %.60s", app.Name, what, r.Method, r.URI)
		}
	}
}

func serialize(r apps.Request) []byte {
	var b bytes.Buffer
	b.WriteString(r.Method + " " + r.URI + " " + r.Host + "\n")
	_ = r.Header.Write(&b)
	b.Write(r.Body)
	return b.Bytes()
}

// searchFiles searches the files of the installation. Every core file is an
// error, whatever it contains.
func (e *Env) searchFiles(t testing.TB, ix *index) {
	t.Helper()
	err := filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(e.Dir, path)
		if strings.HasPrefix(filepath.Base(name), "core") {
			t.Errorf("I1: a core file was written: %s", name)
		}
		text, err := os.ReadFile(path)
		if what := ix.find(text); what != "" {
			t.Errorf("I1: the file %s contains %s", name, what)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// searchCommandLines searches the command lines of all processes.
func searchCommandLines(t testing.TB, ix *index) {
	t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		text, _ := os.ReadFile(f) // empty if the process has ended
		if what := ix.find(text); what != "" {
			program := bytes.Fields(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))[0]
			t.Errorf("I1: the command line in %s contains %s: %.60q", f, what, program)
		}
	}
}

// SearchProcessEnvironment searches the environment of an agent's process for
// secrets of accounts. The agent's own token may be there.
func (e *Env) SearchProcessEnvironment(t testing.TB, pid int) {
	t.Helper()
	e.secrets.mu.Lock()
	defer e.secrets.mu.Unlock()
	searchProcessEnvironment(t, pid, newIndex(e.secrets.accounts))
}

func searchProcessEnvironment(t testing.TB, pid int, ix *index) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil || len(text) == 0 {
		t.Errorf("read the environment of process %d: %d bytes, error %v", pid, len(text), err)
	}
	if what := ix.find(text); what != "" {
		t.Errorf("I1: the environment of process %d contains %s", pid, what)
	}
}
