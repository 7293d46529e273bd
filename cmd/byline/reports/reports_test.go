package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

var day = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// story is a log as a test tells it, one record a minute from 09:00 on.
type story struct{ records []audit.Record }

func (s *story) all() Records {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *story) add(r audit.Record) *audit.Record {
	r.Time, r.ID = day.Add(time.Duration(len(s.records))*time.Minute), fmt.Sprintf("r_%d", len(s.records))
	s.records = append(s.records, r)
	return &s.records[len(s.records)-1]
}

func (s *story) task(id, agent, sponsor string, scope ...string) {
	s.add(audit.Record{Kind: "task", Task: id, Agent: agent, Sponsor: sponsor, Purpose: "INC-1", Scope: scope})
}

func (s *story) request(kind, task, agent, sponsor, action, resource, code string) *audit.Record {
	effect := "permit"
	if kind == "refusal" {
		effect = "deny"
	}
	return s.add(audit.Record{Kind: kind, Task: task, Agent: agent, Sponsor: sponsor, Adapter: "wiki", Action: action, Resource: resource,
		Method: "GET", Host: "wiki.acme.example:443", Path: "/index.php", Code: code, Decision: audit.Decision{Effect: effect}})
}

func (s *story) lease(task, agent, sponsor, account, id, detail string) {
	s.add(audit.Record{Kind: "lease", Task: task, Agent: agent, Sponsor: sponsor, Adapter: "wiki", Account: account, Lease: id, Detail: detail})
}

func TestReviewSetsApprovedBesideUsed(t *testing.T) {
	var s story
	s.task("t1", "triage", "alice", "wiki:page.read,page.edit@page/Sandbox*", "wiki:page.delete@page/Sandbox*", "tracker:ticket.read")
	s.lease("t1", "triage", "alice", "agent-01", "l1", "checked out")
	s.request("intent", "t1", "triage", "alice", "page.read", "page/Sandbox", "")
	s.request("intent", "t1", "triage", "alice", "page.read", "page/Sandbox/2", "")
	s.request("intent", "t1", "triage", "alice", "page.edit", "page/Sandbox", "")
	s.request("intent", "t1", "triage", "alice", "account.manage", "account", "").Privileged = true
	s.request("refusal", "t1", "triage", "alice", "page.read", "page/Secret", "out_of_scope")
	s.lease("t1", "triage", "alice", "agent-01", "l1", "checked in")

	r, err := MakeReview(s.all(), Period{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Groups) != 2 || r.Groups[0].Adapter != "tracker" || r.Groups[1].Adapter != "wiki" {
		t.Fatalf("groups: %+v", r.Groups)
	}
	if got := r.Groups[0].Unused; !slices.Equal(got, []string{"tracker:ticket.read"}) {
		t.Errorf("never used at the tracker: %v", got)
	}
	g := r.Groups[1]
	if g.Requests != 4 || g.Privileged != 1 || len(g.Refused) != 1 || g.Refused[0].Code != "out_of_scope" {
		t.Errorf("counts: %+v", g)
	}
	if want := []string{"wiki:page.delete@page/Sandbox*"}; !slices.Equal(g.Unused, want) {
		t.Errorf("never used: %v, want %v", g.Unused, want)
	}
	if want := []string{"wiki:account.manage@account", "wiki:page.edit@page/Sandbox", "wiki:page.read@page/Sandbox", "wiki:page.read@page/Sandbox/2"}; !slices.Equal(g.Suggested, want) {
		t.Errorf("suggested %v, want %v", g.Suggested, want)
	}
	if g.Check != (Check{Requests: 4}) {
		t.Errorf("the suggested scope, replayed: %+v", g.Check)
	}
	if len(g.Accounts) != 1 || g.Accounts[0].Held != 6*time.Minute || g.Accounts[0].Open != 0 {
		t.Errorf("accounts: %+v", g.Accounts)
	}
}

func TestReviewSuggestsAPrefixForManyResources(t *testing.T) {
	var s story
	s.task("t1", "triage", "alice", "wiki:page.*")
	for i := range 50 {
		s.request("intent", "t1", "triage", "alice", "page.read", fmt.Sprintf("page/Case %d", i), "")
	}
	r, err := MakeReview(s.all(), Period{From: day})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Groups[0].Suggested; !slices.Equal(got, []string{"wiki:page.read@page/Case *"}) || r.Groups[0].Check.Refused != 0 {
		t.Errorf("%v %+v", got, r.Groups[0].Check)
	}
}

func TestReviewCountsLeasesInThePeriodAlone(t *testing.T) {
	var s story
	s.task("t1", "triage", "alice", "wiki:page.read")
	s.lease("t1", "triage", "alice", "agent-01", "l1", "checked out") // 09:01
	s.request("intent", "t1", "triage", "alice", "page.read", "p", "")
	s.request("intent", "t1", "triage", "alice", "page.read", "p", "") // 09:03
	r, err := MakeReview(s.all(), Period{From: day.Add(2 * time.Minute), To: day.Add(4 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Groups[0].Accounts[0]; h.Open != 1 || h.Held != 3*time.Minute {
		t.Errorf("an account that is still held: %+v", h)
	}
}

func TestReplayListsEveryDecisionThatWouldChange(t *testing.T) {
	var s story
	s.task("t1", "triage", "alice", "wiki:page.read,page.edit")
	s.request("intent", "t1", "triage", "alice", "page.read", "page/A", "")
	s.request("intent", "t1", "triage", "alice", "page.edit", "page/A", "")
	s.request("intent", "t1", "triage", "alice", "page.edit", "page/A", "")
	s.request("refusal", "t1", "triage", "alice", "page.delete", "page/A", "out_of_scope")
	s.request("refusal", "t1", "triage", "alice", "page.edit", "page/B", "policy_denied") // by a policy that is gone
	s.request("refusal", "t2", "other", "bob", "page.read", "page/A", "")                 // its beginning is not in the log
	set, err := policy.Parse([]policy.File{{Name: "new.cedar", Text: []byte(
		`@id("no-edits-of-a") forbid (principal, action == Action::"wiki:page.edit", resource) when { resource.name == "page/A" && principal.purpose == "INC-1" };`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Replay(s.all(), Period{}, set)
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 5 || got.Skipped != 1 {
		t.Errorf("%d requests, %d skipped", got.Requests, got.Skipped)
	}
	var told []string
	for _, c := range got.Changes {
		told = append(told, fmt.Sprintf("%s %s %s→%s %d %s", c.Action, c.Resource, c.Was, c.Would, c.Times, strings.Join(c.Policies, ",")))
	}
	want := []string{"page.edit page/A permit→deny 2 new.cedar#no-edits-of-a", "page.edit page/B deny→permit 1 scope[0]"}
	if !slices.Equal(told, want) {
		t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

func TestBorrowedTellsWhoseSessionWentWithWhichAgents(t *testing.T) {
	alice := audit.Stripped{In: "cookie", Name: "wiki_session", Fingerprint: "hmac-sha256:aa", Person: "alice"}
	noise := audit.Stripped{In: "header", Name: "X-Forwarded-For", Fingerprint: "hmac-sha256:bb"}
	var s story
	s.request("alert", "t1", "triage", "bob", "", "", "borrowed_seen").Stripped = []audit.Stripped{alice}
	s.request("intent", "t1", "triage", "bob", "page.read", "p", "").Stripped = []audit.Stripped{alice, noise}
	s.request("alert", "t2", "other", "carol", "", "", "borrowed_shared").Stripped = []audit.Stripped{alice}
	s.request("refusal", "t2", "other", "carol", "page.read", "p", "out_of_scope").Stripped = []audit.Stripped{alice}
	for _, c := range []struct {
		name string
		p    Period
		all  bool
		want []string
	}{
		{"sessions", Period{}, false, []string{"aa"}},
		{"everything left behind", Period{}, true, []string{"aa", "bb"}},
		{"before any", Period{To: day}, true, nil},
		{"later than the noise", Period{From: day.Add(2 * time.Minute)}, true, []string{"aa"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := Borrowed(s.all(), c.p, c.all)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range found {
				got = append(got, strings.TrimPrefix(b.Fingerprint, "hmac-sha256:"))
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("found %v, want %v", got, c.want)
			}
			if len(found) > 0 {
				b := found[0]
				if !slices.Equal(b.Agents, []string{"other", "triage"}) || !slices.Equal(b.Persons, []string{"alice"}) || b.Times != 2 || !b.First.Equal(day) || !b.Last.Equal(day.Add(3*time.Minute)) {
					t.Errorf("%+v", b)
				}
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	now := day
	for in, want := range map[string]time.Time{
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), "2026-11-01T08:00:00+02:00": time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
		"36h": now.Add(-36 * time.Hour), "30d": now.AddDate(0, 0, -30),
	} {
		if got, err := ParseTime(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "yesterday", "-3h", "-3d", "3 d", "d", "2026-13-01"} {
		if got, err := ParseTime(in, now); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}
