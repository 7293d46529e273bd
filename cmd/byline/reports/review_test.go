package reports

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestReviewComparesApprovedWithUsed(t *testing.T) {
	var l testLog
	l.task("t1", "triage", "alice", "wiki:page.read,page.edit@page/Sandbox*", "wiki:page.delete@page/Sandbox*", "tracker:ticket.read")
	l.lease("t1", "triage", "alice", "agent-01", "l1", "checked out")
	l.request("intent", "t1", "triage", "alice", "page.read", "page/Sandbox", "")
	l.request("intent", "t1", "triage", "alice", "page.read", "page/Sandbox/2", "")
	l.request("intent", "t1", "triage", "alice", "page.edit", "page/Sandbox", "")
	l.request("intent", "t1", "triage", "alice", "account.manage", "account", "").Privileged = true
	l.request("refusal", "t1", "triage", "alice", "page.read", "page/Secret", "out_of_scope")
	l.request("alert", "t1", "triage", "alice", "", "", "session_not_ended")
	l.lease("t1", "triage", "alice", "agent-01", "l1", "checked in")

	r, err := MakeReview(l.all(), Period{})
	if err != nil {
		t.Fatal(err)
	}

	if len(r.Groups) != 2 || r.Groups[0].Adapter != "tracker" || r.Groups[1].Adapter != "wiki" {
		t.Fatalf("groups: %+v, want those of tracker and wiki", r.Groups)
	}
	if got := r.Groups[0].Unused; !slices.Equal(got, []string{"tracker:ticket.read"}) {
		t.Errorf("never used at the tracker: %v, want tracker:ticket.read", got)
	}

	g := r.Groups[1]
	if g.Requests != 4 || g.Privileged != 1 || len(g.Refused) != 1 || g.Refused[0].Code != "out_of_scope" {
		t.Errorf("counts: %+v, want 4 requests, 1 privileged, 1 refused as out_of_scope", g)
	}
	if want := []string{"wiki:page.delete@page/Sandbox*"}; !slices.Equal(g.Unused, want) {
		t.Errorf("never used: %v, want %v", g.Unused, want)
	}
	want := []string{
		"wiki:account.manage@account",
		"wiki:page.edit@page/Sandbox",
		"wiki:page.read@page/Sandbox",
		"wiki:page.read@page/Sandbox/2",
	}
	if !slices.Equal(g.Suggested, want) {
		t.Errorf("suggested %v, want %v", g.Suggested, want)
	}
	if g.Check != (Check{Requests: 4}) {
		t.Errorf("the suggested scope, tried: %+v, want 4 requests and none refused", g.Check)
	}
	if want := []Alert{{"session_not_ended", 1}}; !slices.Equal(g.Alerts, want) {
		t.Errorf("alerts: %v, want %v", g.Alerts, want)
	}
	if len(g.Accounts) != 1 || g.Accounts[0].Held != 7*time.Minute || g.Accounts[0].Open != 0 {
		t.Errorf("accounts: %+v, want one that was held 7m", g.Accounts)
	}
}

func TestReviewSuggestsAPrefixForManyResources(t *testing.T) {
	var l testLog
	l.task("t1", "triage", "alice", "wiki:page.*")
	for i := range 50 {
		l.request("intent", "t1", "triage", "alice", "page.read", fmt.Sprintf("page/Case %d", i), "")
	}

	r, err := MakeReview(l.all(), Period{From: day})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Groups[0].Suggested; !slices.Equal(got, []string{"wiki:page.read@page/Case *"}) || r.Groups[0].Check.Refused != 0 {
		t.Errorf("suggested %v, tried: %+v, want wiki:page.read@page/Case * and none refused", got, r.Groups[0].Check)
	}
}

func TestReviewCountsOnlyLeasesInThePeriod(t *testing.T) {
	var l testLog
	l.task("t1", "triage", "alice", "wiki:page.read")
	l.lease("t1", "triage", "alice", "agent-01", "l1", "checked out") // 09:01
	l.request("intent", "t1", "triage", "alice", "page.read", "p", "")
	l.request("intent", "t1", "triage", "alice", "page.read", "p", "") // 09:03

	r, err := MakeReview(l.all(), Period{From: day.Add(2 * time.Minute), To: day.Add(4 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Groups[0].Accounts[0]; h.Open != 1 || h.Held != 3*time.Minute {
		t.Errorf("an account that is still held: %+v, want open and held 3m", h)
	}
}
