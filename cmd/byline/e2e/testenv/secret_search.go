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

// Search looks for every mark of the house wherever it must not be, and fails
// t for each place where one is found: the house's files, which are its logs,
// records, state and core files; all that agents and operators were shown; what
// every process of the machine shows of its command line, and the server and
// its children of their environment; and, for what a person lent, the requests
// that reached an application.
func (h *Env) Search(t testing.TB) {
	t.Helper()
	for _, a := range h.apps {
		for _, c := range a.Sessions() {
			for _, v := range parts(c) {
				h.marks.secret("session cookie "+c.Name+" of "+a.Name, v)
			}
		}
	}
	h.marks.mu.Lock()
	defer h.marks.mu.Unlock()
	hidden := newIndex(h.marks.secrets, h.marks.tokens, h.marks.borrowed)
	h.searchFiles(t, hidden)
	h.searchProcesses(t, hidden)
	secrets := newIndex(h.marks.secrets)
	for _, m := range h.seen.all() {
		if what := secrets.find(m.text); what != "" {
			t.Errorf("I1: %s holds %s", m.where, what)
		}
	}
	borrowed := newIndex(h.marks.borrowed, h.marks.tokens)
	for _, a := range h.apps {
		searchRequests(t, a, a.Seen(), borrowed)
	}
}

func searchRequests(t testing.TB, a *apps.App, all []apps.Seen, borrowed *index) {
	t.Helper()
	for _, s := range all {
		if what := borrowed.find(written(s)); what != "" {
			t.Errorf("I2: %s was sent %s in %s %.60s", a.Name, what, s.Method, s.URI)
		}
	}
}

func written(s apps.Seen) []byte {
	var b bytes.Buffer
	b.WriteString(s.Method + " " + s.URI + " " + s.Host + "\n")
	_ = s.Header.Write(&b)
	b.Write(s.Body)
	return b.Bytes()
}

func (h *Env) searchFiles(t testing.TB, ix *index) {
	t.Helper()
	err := filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(h.Dir, path)
		if strings.HasPrefix(filepath.Base(name), "core") {
			t.Errorf("I1: a core file was left: %s", name)
		}
		text, err := os.ReadFile(path)
		if what := ix.find(text); what != "" {
			t.Errorf("I1: the file %s holds %s", name, what)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// searchProcesses looks at all command lines, and at the server's environment.
func (h *Env) searchProcesses(t testing.TB, ix *index) {
	t.Helper()
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range lines {
		text, _ := os.ReadFile(f) // the process may have ended
		if what := ix.find(text); what != "" {
			t.Errorf("I1: the command line in %s holds %s: %.60q", f, what, bytes.Fields(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))[0])
		}
	}
	if h.server != nil && h.server.running() {
		searchEnvironment(t, h.PID(), newIndex(h.marks.secrets, h.marks.tokens))
	}
}

// SearchEnvironment looks for secrets of accounts in what an agent's process
// was given. Its own task's token is none.
func (h *Env) SearchEnvironment(t testing.TB, pid int) {
	t.Helper()
	h.marks.mu.Lock()
	defer h.marks.mu.Unlock()
	searchEnvironment(t, pid, newIndex(h.marks.secrets))
}

func searchEnvironment(t testing.TB, pid int, ix *index) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil || len(text) == 0 {
		t.Errorf("the environment of process %d cannot be read: %v", pid, err)
	}
	if what := ix.find(text); what != "" {
		t.Errorf("I1: the environment of process %d holds %s", pid, what)
	}
}
