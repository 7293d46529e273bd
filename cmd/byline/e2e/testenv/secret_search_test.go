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

// failureRecorder is a test that records failures and does not fail.
type failureRecorder struct {
	testing.TB
	failures []string
}

func (*failureRecorder) Helper() {}

func (r *failureRecorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *failureRecorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }

// knownSecrets are the secrets of an Env from newEnvWithSecrets.
type knownSecrets struct{ password, token, cookie string }

func newEnvWithSecrets(t *testing.T) (*Env, knownSecrets) {
	t.Helper()
	s := knownSecrets{NewSecret(), NewSecret(), NewSecret()}
	e := &Env{Dir: t.TempDir(), t: t}
	e.secrets.addAccountSecret("the password", s.password)
	e.secrets.addToken("the token", s.token)
	e.secrets.addBorrowed(&http.Cookie{Name: "sid", Value: s.cookie})
	return e, s
}

func TestSearchForSecretsFindsPlantedSecrets(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, e *Env, s knownSecrets){
		"a password in the log": func(t *testing.T, e *Env, s knownSecrets) {
			plantFile(t, e, "serve.log", "login failed: "+s.password)
		},
		"a token in the state": func(t *testing.T, e *Env, s knownSecrets) {
			plantFile(t, e, "data/state.db", "\x00\x01"+s.token)
		},
		"a borrowed cookie in a record": func(t *testing.T, e *Env, s knownSecrets) {
			plantFile(t, e, "data/audit/seg-0.jsonl", base64.StdEncoding.EncodeToString([]byte("x"+s.cookie)))
		},
		"a core file": func(t *testing.T, e *Env, _ knownSecrets) {
			plantFile(t, e, "core.1234", "")
		},
		"a password in an answer": func(_ *testing.T, e *Env, s knownSecrets) {
			e.transcript.add("an answer", "<p>"+s.password)
		},
		"a password in a command line": func(t *testing.T, _ *Env, s knownSecrets) {
			startIdleProcess(t, nil, s.password)
		},
		"a token in the server's environment": func(t *testing.T, e *Env, s knownSecrets) {
			e.server = startIdleProcess(t, []string{"X=" + s.token})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, s := newEnvWithSecrets(t)
			plant(t, e, s)

			recorder := &failureRecorder{TB: t}
			e.SearchForSecrets(recorder)
			if len(recorder.failures) != 1 || !strings.Contains(recorder.failures[0], "I1") {
				t.Errorf("the search reports %q, want one violation of I1", recorder.failures)
			}
			for _, failure := range recorder.failures {
				if ContainsSecret(failure, s.password) || ContainsSecret(failure, s.token) || ContainsSecret(failure, s.cookie) {
					t.Errorf("the report repeats the secret: %s", failure)
				}
			}
		})
	}
}

func TestSearchForSecretsAllowsAgentItsOwnCookie(t *testing.T) {
	e, s := newEnvWithSecrets(t)
	plantFile(t, e, "serve.log", "all is well")
	e.transcript.add("an answer", "your session is "+s.cookie) // the agent borrowed it and may see it

	recorder := &failureRecorder{TB: t}
	e.SearchForSecrets(recorder)
	if len(recorder.failures) != 0 {
		t.Errorf("the search reports %q, want nothing", recorder.failures)
	}
}

func plantFile(t *testing.T, e *Env, name, text string) {
	t.Helper()
	path := filepath.Join(e.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startIdleProcess starts a process with that environment and those arguments.
// It does nothing until the test ends.
func startIdleProcess(t *testing.T, env []string, args ...string) *process {
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
	t.Cleanup(func() {
		in.Close()
		<-p.done
	})
	return p
}
