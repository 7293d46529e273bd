package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

const loggedAdapter = `
name: wiki
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [wiki.acme.example]
login: {kind: basic}
actions:
  - {name: page.edit, match: {method: [GET, POST], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: page.move, match: {method: POST, path: "/move/{id}"}, resource: "page/{id}"}
log:
  entry: {time: when, user: who, id: n}
  kinds:
    - {when: {what: edit}, actions: [page.edit], resource: "page/${page}"}
    - {when: {what: [move, "move-*"]}, actions: [page.move], many: true}
    - {when: {what: touch}, actions: [page.edit], many: true}
`

func logged(t *testing.T) *adapters.Adapter {
	t.Helper()
	set, err := adapters.Load([]adapters.Source{{Name: "wiki.yaml", Text: []byte(loggedAdapter)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("wiki")
}

// deed is a request that took two seconds, and its entry when the application
// writes one.
func (s *story) deed(method, action, resource string, status int) time.Time {
	in := s.request("intent", "t1", "triage", "alice", action, resource, "")
	in.Account, in.Method = "agent-01", method
	id, began := in.ID, in.Time
	out := s.add(audit.Record{Kind: "outcome", Adapter: "wiki", Intent: id, Status: status})
	out.Time = began.Add(2 * time.Second)
	return began.Add(time.Second)
}

func entry(t *testing.T, a *adapters.Adapter, when time.Time, who, what, page string) adapters.HistoryEntry {
	t.Helper()
	log := a.History()
	e, ours, err := log.Interpret(map[string]string{"when": when.Truncate(time.Second).Format(time.DateTime), "who": who, "what": what, "page": page, "n": page + what})
	if err != nil || !ours {
		t.Fatal(ours, err)
	}
	return e
}

func TestReconcileFindsWhatHappenedOutside(t *testing.T) {
	a := logged(t)
	for _, ahead := range []time.Duration{0, 3 * time.Minute, -4 * time.Minute} {
		t.Run(fmt.Sprint("application ahead by ", ahead), func(t *testing.T) {
			var s story
			var entries []adapters.HistoryEntry
			for i := range 40 {
				page := fmt.Sprintf("Page_%d", i%7)
				at := s.deed("POST", "page.edit", "page/"+page, 302)
				s.deed("GET", "page.edit", "page/"+page, 200) // the form: no entry
				entries = append(entries, entry(t, a, at.Add(ahead), "Agent 01", "edit", strings.ReplaceAll(page, "_", " ")))
			}
			at := s.deed("POST", "page.move", "page/A", 302) // one request, two entries
			entries = append(entries, entry(t, a, at.Add(ahead), "Agent 01", "move", "A"), entry(t, a, at.Add(ahead), "Agent 01", "move-talk", "A"))
			s.deed("POST", "page.edit", "page/Conflict", 200) // changed nothing
			s.deed("POST", "page.edit", "page/Broken", 500)
			outside := []adapters.HistoryEntry{
				entry(t, a, day.Add(5*time.Minute+30*time.Second+ahead), "agent_01", "edit", "Page 1"), // between two of ours
				entry(t, a, day.Add(6*time.Hour+ahead), "agent-01", "edit", "Page 2"),
			}
			outside[1].User = "Agent 01"
			entries = append(entries, outside...)
			entries = append(entries, entry(t, a, day.Add(time.Hour), "alice", "edit", "Page 1"))

			got, err := Reconcile(s.all(), Period{}, a, map[string]string{"agent-01": "agent_01"}, entries)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Matched) != 42 || got.Others != 1 {
				t.Errorf("%d matched, %d of others", len(got.Matched), got.Others)
			}
			if len(got.ApplicationOnly) != 2 || got.ApplicationOnly[0].ID != outside[0].ID || got.ApplicationOnly[1].ID != outside[1].ID {
				t.Errorf("outside Byline: %+v", got.ApplicationOnly)
			}
			if len(got.RecordOnly) != 1 || got.RecordOnly[0].Resource != "page/Conflict" {
				t.Errorf("record only: %+v", got.RecordOnly)
			}
			if off := (got.Skew.Ahead - ahead).Abs(); off > time.Second || got.Skew.Samples < 3 {
				t.Errorf("skew %+v, want %v", got.Skew, ahead)
			}
			for _, m := range got.Matched {
				if m.Act.Agent != "triage" || m.Act.Sponsor != "alice" {
					t.Fatalf("%+v", m.Act)
				}
			}
		})
	}
}

// An entry that may share its request leaves it to the one that may not, in
// whatever order the application lists them.
func TestReconcileLetsEntriesShareARequestLast(t *testing.T) {
	a := logged(t)
	for _, order := range [][]string{{"touch", "edit"}, {"edit", "touch"}} {
		var s story
		at := s.deed("POST", "page.edit", "page/A", 302)
		var entries []adapters.HistoryEntry
		for _, what := range order {
			entries = append(entries, entry(t, a, at, "agent-01", what, "A"))
		}
		got, err := Reconcile(s.all(), Period{}, a, nil, entries)
		if err != nil || len(got.Matched) != 2 || len(got.ApplicationOnly) != 0 {
			t.Errorf("%v: %d matched, outside Byline: %+v, %v", order, len(got.Matched), got.ApplicationOnly, err)
		}
	}
}

func TestReadExport(t *testing.T) {
	a := logged(t)
	log := a.History()
	csv := "\ufeffwhen,who,what,page,n\r\n2026-11-02 09:00:00,agent-01,edit,A,1\r\n2026-11-02 09:00:01,agent-01,view,A,2\r\n\"2026-11-02T09:00:02Z\",agent-01,move-x,\"B, or C\",3\r\n"
	jsonl := `{"when":"2026-11-02 09:00:00","who":"agent-01","what":"edit","page":"A","n":1}` + "\n\n" + `{"when":"2026-11-02T09:00:02Z","who":"agent-01","what":"move-x","n":3}` + "\n"
	for format, text := range map[string]string{"csv": csv, "jsonl": jsonl} {
		got, err := ReadExport(strings.NewReader(text), format, &log)
		if err != nil || len(got) != 2 || got[0].ID != "1" || got[0].Resource != "page/A" || got[1].ID != "3" || !got[1].Many || !got[1].Time.Equal(day.Add(2*time.Second)) {
			t.Errorf("%s: %+v, %v", format, got, err)
		}
	}
	for name, c := range map[string]struct{ format, text, want string }{
		"empty":          {"csv", "", "a heading was expected"},
		"a short row":    {"csv", "when,who\n2026", "line 2"},
		"a strange time": {"csv", "when,who,what\nyesterday,a,edit\n", `line 2: the time "yesterday"`},
		"no JSON":        {"jsonl", "{}\nnonsense", "line 2"},
	} {
		if _, err := ReadExport(strings.NewReader(c.text), c.format, &log); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
