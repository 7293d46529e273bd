package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

const historyAdapterText = `
name: wiki
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [wiki.acme.example]
login: {kind: basic}
actions:
  - {name: page.edit, match: {method: [GET, POST], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: page.move, match: {method: POST, path: "/move/{id}"}, resource: "page/{id}"}
  - {name: log.read, match: {method: GET, path: /changes}, resource: log}
log:
  read: [{get: /changes, items: query.changes}]
  entry: {time: when, user: who, id: n}
  kinds:
    - {when: {what: edit}, actions: [page.edit], resource: "page/${page}"}
    - {when: {what: [move, "move-*"]}, actions: [page.move], many: true}
    - {when: {what: touch}, actions: [page.edit], many: true}
`

// historyAdapter returns an adapter with a history of edits and moves.
func historyAdapter(t *testing.T) *adapters.Adapter {
	t.Helper()
	set, err := adapters.Load([]adapters.Source{{Name: "wiki.yaml", Text: []byte(historyAdapterText)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("wiki")
}

// addRequest adds a request of agent-01 that took two seconds, and returns the time of the
// application's entry for it.
func (l *testLog) addRequest(method, action, resource string, status int) time.Time {
	in := l.request("intent", "t1", "triage", "alice", action, resource, "")
	in.Account, in.Method = "agent-01", method
	id, began := in.ID, in.Time
	out := l.add(audit.Record{Kind: "outcome", Adapter: "wiki", Intent: id, Status: status})
	out.Time = began.Add(2 * time.Second)
	return began.Add(time.Second)
}

// logItem is an item of the application's history.
type logItem = map[string]string

// entry returns an item of the application, whose times are whole seconds.
func entry(when time.Time, who, what, page string) logItem {
	return logItem{
		"when": when.Truncate(time.Second).Format(time.DateTime),
		"who":  who,
		"what": what,
		"page": page,
		"n":    page + what,
	}
}

// testPeriod holds everything that these tests do.
var testPeriod = Period{From: day.Add(-12 * time.Hour), To: day.Add(12 * time.Hour)}

// reconcileItems reconciles records with the items of a history.
func reconcileItems(records Records, a *adapters.Adapter, users map[string][]string, items []logItem) (*Reconciliation, error) {
	r := NewReconciler(a, testPeriod, users)
	if err := r.ReadRecords(records); err != nil {
		return nil, err
	}
	h := r.History()
	for i, item := range items {
		h.Add(item, fmt.Sprintf("item %d", i+1))
	}
	return r.Finish(false), nil
}

// TestReconcileFindsWhatHappenedOutside reconciles 40 edits and a move that leaves two entries with
// two edits that were made outside Byline, for different clocks of the application.
func TestReconcileFindsWhatHappenedOutside(t *testing.T) {
	a := historyAdapter(t)
	for _, ahead := range []time.Duration{0, 3 * time.Minute, -4 * time.Minute} {
		t.Run(fmt.Sprint("application ahead by ", ahead), func(t *testing.T) {
			var l testLog
			var entries []logItem
			for i := range 40 {
				page := fmt.Sprintf("Page_%d", i%7)
				at := l.addRequest("POST", "page.edit", "page/"+page, 302)
				l.addRequest("GET", "page.edit", "page/"+page, 200) // the form leaves no entry
				entries = append(entries, entry(at.Add(ahead), "Agent 01", "edit", strings.ReplaceAll(page, "_", " ")))
			}
			at := l.addRequest("POST", "page.move", "page/A", 302) // one request, two entries
			entries = append(entries, entry(at.Add(ahead), "Agent 01", "move", "A"), entry(at.Add(ahead), "Agent 01", "move-talk", "A"))
			l.addRequest("POST", "page.edit", "page/Conflict", 200) // changed nothing
			l.addRequest("POST", "page.edit", "page/Broken", 500)
			outside := []logItem{
				entry(day.Add(5*time.Minute+30*time.Second+ahead), "agent_01", "edit", "Page 1"), // between two edits through Byline
				entry(day.Add(6*time.Hour+ahead), "agent-01", "edit", "Page 2"),
			}
			outside[1]["who"] = "Agent 01"
			entries = append(entries, outside...)
			entries = append(entries, entry(day.Add(time.Hour), "alice", "edit", "Page 1"))

			got, err := reconcileItems(l.all(), a, map[string][]string{"agent-01": {"agent_01"}}, entries)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Matched) != 42 || got.Others != 1 {
				t.Errorf("%d matched, %d of others, want 42 and 1", len(got.Matched), got.Others)
			}
			if len(got.ApplicationOnly) != 2 || got.ApplicationOnly[0].ID != outside[0]["n"] || got.ApplicationOnly[1].ID != outside[1]["n"] {
				t.Errorf("outside Byline: %+v, want %+v", got.ApplicationOnly, outside)
			}
			if len(got.RecordOnly) != 1 || got.RecordOnly[0].Resource != "page/Conflict" {
				t.Errorf("record only: %+v, want page/Conflict", got.RecordOnly)
			}
			if off := (got.Skew.Ahead - ahead).Abs(); off > time.Second || got.Skew.Samples < 3 {
				t.Errorf("skew %+v, want %v", got.Skew, ahead)
			}
			for _, m := range got.Matched {
				if m.Act.Agent != "triage" || m.Act.Sponsor != "alice" {
					t.Fatalf("matched with %+v, want the agent triage for alice", m.Act)
				}
			}
		})
	}
}

// TestEntriesThatShareARequestChooseLast checks that an entry which may share its request
// leaves it to one which may not, in whatever order the application lists them.
func TestEntriesThatShareARequestChooseLast(t *testing.T) {
	a := historyAdapter(t)
	for _, order := range [][]string{{"touch", "edit"}, {"edit", "touch"}} {
		var l testLog
		at := l.addRequest("POST", "page.edit", "page/A", 302)
		var entries []logItem
		for _, what := range order {
			entries = append(entries, entry(at, "agent-01", what, "A"))
		}
		got, err := reconcileItems(l.all(), a, nil, entries)
		if err != nil || len(got.Matched) != 2 || len(got.ApplicationOnly) != 0 {
			t.Errorf("entries %v: %d matched, outside Byline: %+v, %v; want 2 and none", order, len(got.Matched), got.ApplicationOnly, err)
		}
	}
}

// TestReconcileUsesTheWallTime reconciles edits that were made while our clock was
// corrected by two hours: the times of the later records are ahead of the application's.
func TestReconcileUsesTheWallTime(t *testing.T) {
	a := historyAdapter(t)
	l := &testLog{}
	var entries []logItem
	for i := range 20 {
		page := fmt.Sprintf("P%d", i)
		at := l.addRequest("POST", "page.edit", "page/"+page, 200)
		if i >= 10 {
			for k := len(l.records) - 2; k < len(l.records); k++ {
				l.records[k].Wall = l.records[k].Time.Add(-2 * time.Hour)
			}
			at = at.Add(-2 * time.Hour)
		}
		entries = append(entries, entry(at, "agent-01", "edit", page))
	}
	entries = append(entries, entry(day.Add(-90*time.Minute), "agent-01", "edit", "Outside"))

	got, err := reconcileItems(l.all(), a, map[string][]string{"agent-01": {"agent-01"}}, entries)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Matched) != 20 || len(got.ApplicationOnly) != 1 || len(got.RecordOnly) != 0 {
		t.Errorf("matched %d, application only %d, record only %d; want 20, 1, 0", len(got.Matched), len(got.ApplicationOnly), len(got.RecordOnly))
	}
}
