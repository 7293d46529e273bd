package testenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// commandTimeout bounds how long a command may run. A browser on a busy
// machine needs more than [timeout].
const commandTimeout = 3 * time.Minute

// Result is the outcome of a command.
type Result struct {
	Out, Err string // standard output and standard error
	Code     int    // exit code
}

// String returns exit code and output, for the message of a failed test.
func (r Result) String() string { return fmt.Sprintf("exit %d\n%s%s", r.Code, r.Out, r.Err) }

// Byline runs one byline command to its end. Its output is searched for secrets
// when the test ends.
func (e *Env) Byline(args ...string) Result {
	e.t.Helper()
	return e.BylineWithInput("", args...)
}

// BylineWithInput is [Env.Byline] with text on standard input.
func (e *Env) BylineWithInput(input string, args ...string) Result {
	e.t.Helper()
	c := e.Command(args...)
	c.Stdin = strings.NewReader(input)
	return e.RunToEnd(c)
}

// BylineJSON runs a byline command with --json and decodes its output into v.
// It fails the test unless the command exits with 0.
func (e *Env) BylineJSON(v any, args ...string) {
	e.t.Helper()
	r := e.Byline(append(args, "--json")...)
	e.decodeOutput(v, r, args)
}

// Command returns a byline command with the configuration of the installation,
// not started. Its output is searched for secrets only if [Env.RunToEnd] runs it.
func (e *Env) Command(args ...string) *exec.Cmd {
	config := []string{"--config", e.Config}
	at := slices.Index(args, "--")
	if at < 0 {
		at = len(args)
	}

	c := exec.Command(Binary(e.t), slices.Insert(slices.Clone(args), at, config...)...)
	c.Dir = e.Dir
	c.Env = minimalEnvironment()
	return c
}

// RunCommand returns byline run for a program in the folder dir, not started.
// env is added to the program's environment.
func (e *Env) RunCommand(s TaskSpec, dir string, env []string, program ...string) *exec.Cmd {
	args := append([]string{"run"}, s.args()...)
	args = append(args, "--")
	c := e.Command(append(args, program...)...)
	c.Dir = dir
	c.Env = append(c.Env, env...)
	return c
}

// RunIsolated is [Env.RunCommand] with --isolate=require.
func (e *Env) RunIsolated(s TaskSpec, dir string, env []string, program ...string) *exec.Cmd {
	c := e.RunCommand(s, dir, env, program...)
	c.Args = slices.Insert(c.Args, slices.Index(c.Args, "run")+1, "--isolate=require")
	return c
}

// RunToEnd runs a command from [Env.Command] or [Env.RunCommand] to its end.
// Its output is searched for secrets when the test ends.
func (e *Env) RunToEnd(c *exec.Cmd) Result {
	e.t.Helper()
	r := e.runWithoutTranscript(c)
	e.transcript.add("the output of byline "+c.Args[1], r.Out+r.Err)
	return r
}

func (e *Env) runWithoutTranscript(c *exec.Cmd) Result {
	e.t.Helper()

	var stdout, stderr bytes.Buffer
	c.Stdout = &stdout
	c.Stderr = &stderr
	p, err := startProcess(c)
	if err != nil {
		e.t.Fatal(err)
	}

	select {
	case <-p.done:
	case <-time.After(commandTimeout):
		_ = c.Process.Kill()
		<-p.done
		e.t.Fatalf("byline %s was still running after %v; its output:\n%s%s", c.Args[1], commandTimeout, stdout.Bytes(), stderr.Bytes())
	}
	return Result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// decodeOutput decodes the JSON output of the command with those arguments.
func (e *Env) decodeOutput(v any, r Result, args []string) {
	e.t.Helper()
	if r.Code != 0 {
		e.t.Fatalf("byline %s: %s", strings.Join(args, " "), r)
	}
	if err := json.Unmarshal([]byte(r.Out), v); err != nil {
		e.t.Fatalf("byline %s: decode %q: %v", strings.Join(args, " "), r.Out, err)
	}
}

// minimalEnvironment returns a few variables of this process. None of them
// names a proxy.
func minimalEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
