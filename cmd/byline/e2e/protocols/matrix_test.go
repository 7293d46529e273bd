package protocols

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

// protocols are those that an agent and an application may speak.
var protocols = []string{"h1", "h2"}

// matrix is one server with an application, and a task whose agent has borrowed
// a session.
type matrix struct {
	*testenv.Env
	t        *testing.T
	origin   *origin
	task     *testenv.Task // nil until start
	scope    []string      // of task
	borrowed *http.Cookie
	cells    atomic.Int64 // number of cells so far

	mu            sync.Mutex        // guards the maps
	expectedCodes map[string]string // path → code of its outcomes; see cell.expectCode
}

// Values for cell.expectCode.
const (
	anyFailure = "*" // any code but the empty one
	anyOutcome = "?" // any code, the empty one included
)

const adapterTemplate = `name: %[1]s
interim: {reason: "no identity but a person's", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [%[1]s.acme.test]
upstream: {url: "%[2]s", protocol: %[3]s, %[4]s}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps: [{get: /login}, {post: /login, form: {user: "${username}", pass: "${password}"}}]
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}]
  logout: {steps: [{get: /logout}]}
headers: {pass: [X-Name, X-Check]}
actions:
  - {name: page.any, match: {path: "/**"}, resource: page, websocket: true, binary: true}
`

// newMatrix returns a matrix without adapters whose server is not started.
// config is added to byline.yaml.
func newMatrix(t *testing.T, config string) *matrix {
	t.Helper()
	m := &matrix{
		Env: testenv.New(t, config), t: t,
		borrowed:      &http.Cookie{Name: "sid", Value: testenv.NewSecret()},
		expectedCodes: map[string]string{},
	}
	m.origin = newOrigin(t, m.Env, m.borrowed.Value)
	return m
}

// startMatrix starts a matrix with the adapters h1 and h2, each with that many
// accounts. A cell that creates its own task needs one account of its adapter.
func startMatrix(t *testing.T, config string, accounts int) *matrix {
	t.Helper()
	m := newMatrix(t, config)
	for _, protocol := range protocols {
		m.addAdapter(protocol, protocol, m.origin.listen(protocol, nil), m.trustOrigin(), accounts)
	}
	m.start()
	return m
}

// addAdapter adds an adapter for name.acme.test at url, an address of the
// origin. upstream are further keys of the adapter's upstream. The name must end
// with the protocol.
func (m *matrix) addAdapter(name, protocol, url, upstream string, accounts int) {
	m.t.Helper()
	m.WriteFile("adapters.d/"+name+".yaml", fmt.Sprintf(adapterTemplate, name, url, protocol, upstream))
	for i := range accounts {
		user := fmt.Sprintf("%s-%02d", name, i)
		m.PutAccount(name, user, map[string]string{"username": user, "password": m.origin.addUser(user)})
	}
	m.scope = append(m.scope, name+":*")
}

// trustOrigin returns the upstream keys that make an adapter trust the origin's
// certificate authority.
func (m *matrix) trustOrigin() string { return "ca: " + m.origin.authority.file }

// start starts the server and creates the task. The record is checked when the
// test ends.
func (m *matrix) start() {
	m.t.Helper()
	m.Start()
	m.t.Cleanup(m.checkRecord)
	m.task = m.CreateTask(testenv.TaskSpec{Allow: m.scope})
}

// matrixTest is a test that runs in every cell, or in those with the given
// protocols.
type matrixTest struct {
	name     string
	from, to string // protocol of the agent and of the application; empty for both
	adapter  string // name of the adapter without the protocol at its end
	run      func(*cell)
}

func (mt *matrixTest) runsIn(from, to string) bool {
	return (mt.from == "" || mt.from == from) && (mt.to == "" || mt.to == to)
}

// run runs one test after the other, each in all its cells at once.
func (m *matrix) run(tests ...matrixTest) {
	for _, mt := range tests {
		m.t.Run(mt.name, func(t *testing.T) { m.runInCells(t, mt) })
	}
}

// runConcurrently runs all tests at once, for tests that mostly wait.
func (m *matrix) runConcurrently(tests ...matrixTest) {
	var running sync.WaitGroup
	for _, mt := range tests {
		running.Go(func() { m.t.Run(mt.name, func(t *testing.T) { m.runInCells(t, mt) }) })
	}
	running.Wait()
}

// runInCells does not use t.Parallel, which runs at most as many tests at once
// as there are processors.
func (m *matrix) runInCells(t *testing.T, mt matrixTest) {
	var cells sync.WaitGroup
	for _, from := range protocols {
		for _, to := range protocols {
			if !mt.runsIn(from, to) {
				continue
			}
			cells.Go(func() {
				t.Run(from+" to "+to, func(t *testing.T) { mt.run(m.newCell(t, m.task, from, mt.adapter+to)) })
			})
		}
	}
	cells.Wait()
}

// checkRecord stops the server, verifies its record and compares it with the
// requests that the origin received (I2, I3) and the codes that cells expect.
func (m *matrix) checkRecord() {
	m.Stop()
	var report audit.Report
	m.BylineJSON(&report, "audit", "verify")
	if report.Bad != nil || !report.Closed || len(report.Open) > 0 || report.Unfinished > 0 {
		m.t.Errorf("byline audit verify: want a closed log without open intents, got %+v", report)
	}

	intents := map[string]int{} // by path
	for _, r := range m.tailRecords(report.Records) {
		switch r.Kind {
		case "intent":
			intents[r.Path]++
			if len(r.Stripped) == 0 {
				m.t.Errorf("I2: the intent of %s %s does not record that the borrowed cookie was stripped", r.Method, r.Path)
			}
		case "outcome":
			m.checkCode(r)
		}
	}
	for path, received := range m.origin.received {
		if intents[path] < received {
			m.t.Errorf("I3: the origin received %d requests for %s, the record has %d intents", received, path, intents[path])
		}
	}
}

// tailRecords returns the last n records as byline audit tail prints them.
func (m *matrix) tailRecords(n uint64) []audit.Record {
	tail := m.Byline("audit", "tail", "-n", fmt.Sprint(n), "--json")
	var records []audit.Record
	for lines := json.NewDecoder(strings.NewReader(tail.Out)); ; {
		var r audit.Record
		err := lines.Decode(&r)
		if err == io.EOF {
			return records
		}
		if err != nil {
			m.t.Errorf("byline audit tail: decode a record: %v", err)
			return records
		}
		records = append(records, r)
	}
}

// checkCode checks the code of an outcome that has a path.
func (m *matrix) checkCode(r audit.Record) {
	if r.Path == "" {
		return
	}
	want := m.expectedCodes[r.Path]
	ok := r.Code == want
	switch want {
	case anyOutcome:
		ok = true
	case anyFailure:
		ok = r.Code != ""
	}
	if !ok {
		m.t.Errorf("the outcome of %s %s has code %q, want %q", r.Method, r.Path, r.Code, want)
	}
}
