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

// TaskSpec describes a task to create. Fields but Allow have default values.
type TaskSpec struct {
	Agent, Sponsor, Purpose, For string
	Allow                        []string // as byline task create --allow takes them
}

// Task is a task as byline task create --json prints it.
type Task struct {
	ID, Token, Grant, State, Why string
	Expires                      time.Time
	TaskSpec                     `json:"-"`
}

// args returns the flags of byline task create and byline run.
func (s TaskSpec) args() []string {
	orDefault := func(value, byDefault string) string {
		if value == "" {
			return byDefault
		}
		return value
	}
	args := []string{
		"--agent", orDefault(s.Agent, "spiffe://acme.test/agent/triage"),
		"--sponsor", orDefault(s.Sponsor, "alice@acme.test"),
		"--purpose", orDefault(s.Purpose, "INC-1234"),
		"--for", orDefault(s.For, "10m"),
	}
	for _, allowed := range s.Allow {
		args = append(args, "--allow", allowed)
	}
	return args
}

// CreateTask creates a task with byline task create. Its token is a secret,
// which may occur only in the output of that command. CreateTask may be called
// concurrently.
func (e *Env) CreateTask(s TaskSpec) *Task {
	e.t.Helper()

	var task Task
	args := append([]string{"task", "create"}, s.args()...)
	e.decodeOutput(&task, e.runWithoutTranscript(e.Command(append(args, "--json")...)), args)
	if task.ID == "" || task.Token == "" {
		e.t.Fatalf("byline task create printed no ID or no token")
	}

	task.TaskSpec = s
	e.secrets.addToken("the token of "+task.ID, task.Token)
	return &task
}

// EndTask ends a task with byline task end.
func (e *Env) EndTask(task *Task) {
	e.t.Helper()
	if r := e.Byline("task", "end", task.ID); r.Code != 0 {
		e.t.Fatalf("byline task end: %s", r)
	}
}

// Records returns the complete records in the audit log, oldest first.
func (e *Env) Records() []audit.Record {
	e.t.Helper()

	segments, err := filepath.Glob(filepath.Join(e.Dir, "data", "audit", "seg-*.jsonl"))
	if err != nil {
		e.t.Fatal(err)
	}
	slices.Sort(segments)

	var records []audit.Record
	for _, path := range segments {
		text, err := os.ReadFile(path)
		if err != nil {
			e.t.Fatal(err)
		}
		for lines := bufio.NewReader(bytes.NewReader(text)); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break // a line without an end is not yet a record
			}
			var r audit.Record
			if json.Unmarshal(bytes.TrimLeft(line, "\x00"), &r) == nil && r.V != 0 {
				records = append(records, r)
			}
		}
	}
	return records
}

// CountLogins returns the number of login records of an adapter.
func (e *Env) CountLogins(adapter string) int {
	e.t.Helper()
	n := 0
	for _, r := range e.Records() {
		if r.Kind == "login" && r.Adapter == adapter {
			n++
		}
	}
	return n
}
