package testenv

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// Lent tells the house of cookies that a person lent to a program: no
// application may ever see one of them. It returns them as one Cookie header.
func (h *Env) Lent(cookies []*http.Cookie) string {
	var pairs []string
	for _, c := range cookies {
		h.marks.borrow(c)
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// Run is byline run for a command in a folder of its own, with more variables
// in its environment, not started.
func (h *Env) Run(s Spec, dir string, more []string, command ...string) *exec.Cmd {
	c := h.Command(append(append(append([]string{"run"}, s.args()...), "--"), command...)...)
	c.Dir, c.Env = dir, append(c.Env, more...)
	return c
}

// runsFor is how long a program may run: a browser on a busy machine needs more
// than patience.
const runsFor = 3 * time.Minute

// Finish runs a command of the program to its end. What it prints is searched
// for secrets when the test ends.
func (h *Env) Finish(c *exec.Cmd) Result {
	h.t.Helper()
	r := h.finish(c)
	h.seen.said("byline "+c.Args[1], r.Out+r.Err)
	return r
}

func (h *Env) finish(c *exec.Cmd) Result {
	h.t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	p, err := startProcess(c)
	if err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(runsFor):
		_ = c.Process.Kill()
		<-p.done
		h.t.Fatalf("byline %s did not end:\n%s%s", c.Args[1], out.Bytes(), errs.Bytes())
	}
	return Result{out.String(), errs.String(), c.ProcessState.ExitCode()}
}
