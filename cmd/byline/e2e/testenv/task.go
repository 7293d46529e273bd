package testenv

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Spec is a task to be made. Empty fields get a value that will do.
type Spec struct {
	Agent, Sponsor, Purpose, For string
	Allow                        []string // as byline task create --allow takes them
}

// Task is one that was made.
type Task struct {
	ID, Token, Grant, State, Why string
	Expires                      time.Time
	Spec                         `json:"-"`
}

func (s Spec) args() []string {
	or := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	or(&s.Agent, "spiffe://acme.test/agent/triage")
	or(&s.Sponsor, "alice@acme.test")
	or(&s.Purpose, "INC-1234")
	or(&s.For, "10m")
	args := []string{"--agent", s.Agent, "--sponsor", s.Sponsor, "--purpose", s.Purpose, "--for", s.For}
	for _, a := range s.Allow {
		args = append(args, "--allow", a)
	}
	return args
}

// Task makes a task with byline task create. The token is not searched for in
// what the command printed, but everywhere else. It may be called by many
// goroutines.
func (h *Env) Task(s Spec) *Task {
	h.t.Helper()
	var t Task
	args := append([]string{"task", "create"}, s.args()...)
	h.parse(&t, h.finish(h.Command(append(args, "--json")...)), args)
	if t.ID == "" || t.Token == "" {
		h.t.Fatalf("byline task create printed no task")
	}
	t.Spec = s
	h.marks.token("token of "+t.ID, t.Token)
	return &t
}

// End ends a task with byline task end.
func (h *Env) End(t *Task) {
	h.t.Helper()
	if r := h.Byline("task", "end", t.ID); r.Code != 0 {
		h.t.Fatalf("byline task end: %s", r)
	}
}

// Records are the audit log's, oldest first, as far as they were written.
func (h *Env) Records() (all []audit.Record) {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.Dir, "data", "audit", "seg-*.jsonl"))
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Sort(files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			h.t.Fatal(err)
		}
		for lines := bufio.NewReader(bytes.NewReader(b)); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break // an unfinished line is not yet a record
			}
			var r audit.Record
			if json.Unmarshal(bytes.TrimLeft(line, "\x00"), &r) == nil && r.V != 0 {
				all = append(all, r)
			}
		}
	}
	return all
}

// Logins are the records of logins at an adapter that were begun.
func (h *Env) Logins(adapter string) (n int) {
	h.t.Helper()
	for _, r := range h.Records() {
		if r.Kind == "login" && r.Adapter == adapter {
			n++
		}
	}
	return n
}
