package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/policy"
)

func TestReplayListsEveryDecisionThatWouldChange(t *testing.T) {
	var l testLog
	l.task("t1", "triage", "alice", "wiki:page.read,page.edit")
	l.request("intent", "t1", "triage", "alice", "page.read", "page/A", "")
	l.request("intent", "t1", "triage", "alice", "page.edit", "page/A", "")
	l.request("intent", "t1", "triage", "alice", "page.edit", "page/A", "")
	l.request("refusal", "t1", "triage", "alice", "page.delete", "page/A", "out_of_scope")
	l.request("refusal", "t1", "triage", "alice", "page.edit", "page/B", "policy_denied") // by a policy that was removed
	l.request("refusal", "t2", "other", "bob", "page.read", "page/A", "")                 // a task whose beginning is not in the log

	set, err := policy.Parse([]policy.File{{Name: "new.cedar", Text: []byte(
		`@id("no-edits-of-a") forbid (principal, action == Action::"wiki:page.edit", resource) when { resource.name == "page/A" && principal.purpose == "INC-1" };`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}

	got, err := Replay(l.all(), Period{}, set)
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 5 || got.Skipped != 1 {
		t.Errorf("%d requests, %d skipped, want 5 and 1", got.Requests, got.Skipped)
	}
	var changes []string
	for _, c := range got.Changes {
		changes = append(changes, fmt.Sprintf("%s %s %s→%s %d %s", c.Action, c.Resource, c.Was, c.Would, c.Times, strings.Join(c.Policies, ",")))
	}
	want := []string{
		"page.edit page/A permit→deny 2 new.cedar#no-edits-of-a",
		"page.edit page/B deny→permit 1 scope[0]",
	}
	if !slices.Equal(changes, want) {
		t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(changes, "\n"), strings.Join(want, "\n"))
	}
}

// TestReplayKeepsNoGrantOfOldTasks replays many tasks: memory may not grow with the log,
// and a request that was in flight when its task ended is still decided.
func TestReplayKeepsNoGrantOfOldTasks(t *testing.T) {
	var g recentGrants
	for i := range 10 * keptGrants {
		task := fmt.Sprint("t", i)
		g.add(task, &policy.Grant{})
		g.end(task)
		if g.byTask[task] == nil {
			t.Fatalf("the grant of %s is forgotten right after its end", task)
		}
	}
	if len(g.byTask) != keptGrants || len(g.ended) != keptGrants {
		t.Errorf("%d grants of %d ended tasks are kept, want %d", len(g.byTask), len(g.ended), keptGrants)
	}
}
