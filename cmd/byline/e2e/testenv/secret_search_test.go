package testenv

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// failures is a test that only counts what is wrong.
type failures struct {
	testing.TB
	said []string
}

func (*failures) Helper() {}
func (f *failures) Errorf(format string, a ...any) {
	f.said = append(f.said, fmt.Sprintf(format, a...))
}
func (f *failures) Error(a ...any) { f.said = append(f.said, fmt.Sprint(a...)) }

// planted is a house with one secret, one token and one lent cookie.
func planted(t *testing.T) (h *Env, secret, token, lent string) {
	secret, token, lent = Password(), Password(), Password()
	h = &Env{Dir: t.TempDir(), t: t}
	h.marks.secret("the password", secret)
	h.marks.token("the token", token)
	h.marks.borrow(&http.Cookie{Name: "sid", Value: lent})
	return h, secret, token, lent
}

func TestTheSearchFindsWhatWasPlanted(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, h *Env, secret, token, lent string){
		"the log":   func(t *testing.T, h *Env, secret, _, _ string) { leave(t, h, "serve.log", "login failed: "+secret) },
		"the state": func(t *testing.T, h *Env, _, token, _ string) { leave(t, h, "data/state.db", "\x00\x01"+token) },
		"a record": func(t *testing.T, h *Env, _, _, lent string) {
			leave(t, h, "data/audit/seg-0.jsonl", base64.StdEncoding.EncodeToString([]byte("x"+lent)))
		},
		"a core file":     func(t *testing.T, h *Env, _, _, _ string) { leave(t, h, "core.1234", "") },
		"an answer":       func(_ *testing.T, h *Env, secret, _, _ string) { h.seen.said("an answer", "<p>"+secret) },
		"a command line":  func(t *testing.T, _ *Env, secret, _, _ string) { sleeper(t, nil, secret) },
		"the environment": func(t *testing.T, h *Env, _, token, _ string) { h.server = sleeper(t, []string{"X=" + token}) },
	} {
		t.Run(name, func(t *testing.T) {
			h, secret, token, lent := planted(t)
			plant(t, h, secret, token, lent)
			found := &failures{TB: t}
			h.Search(found)
			if len(found.said) != 1 || !strings.Contains(found.said[0], "I1") {
				t.Errorf("found: %q", found.said)
			}
			for _, s := range found.said {
				if Holds(s, secret) || Holds(s, token) || Holds(s, lent) {
					t.Errorf("the search repeats what it found: %s", s)
				}
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		h, _, _, lent := planted(t)
		leave(t, h, "serve.log", "all is well")
		h.seen.said("an answer", "your task's cookie is yours: "+lent) // the agent has it anyway
		found := &failures{TB: t}
		if h.Search(found); len(found.said) != 0 {
			t.Errorf("found: %q", found.said)
		}
	})
}

func leave(t *testing.T, h *Env, name, text string) {
	t.Helper()
	path := filepath.Join(h.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sleeper is a process that was given something.
func sleeper(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	c := exec.Command("/bin/sh", append([]string{"-c", "exec 3<&0; read -r line <&3", "sh"}, args...)...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); <-p.done })
	return p
}
