package main

import (
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// TestAuditShowTellsCausesInOrder shows a request whose server was killed: an assessor
// reads from top to bottom what led to it.
func TestAuditShowTellsCausesInOrder(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	records := []audit.Record{
		{Kind: "task", Agent: "agent/triage", Sponsor: "alice", Purpose: "INC-1", Scope: []string{"wiki:page.*"}},
		{Kind: "refusal", Code: "lease_unavailable"},
		{Kind: "lease", Adapter: "wiki", Account: "agent-01", Detail: "checked out"},
		{Kind: "login", ID: "r_login", Account: "agent-01"},
		{Kind: "outcome", Intent: "r_login", Code: "login_failed", Detail: "step 2: status 503", DurationUS: 12_000},
		{Kind: "intent", ID: "r_intent", Action: "page.edit", Resource: "page/1", Method: "POST", Host: "wiki:443", Path: "/p", Stripped: make([]audit.Stripped, 2)},
		{Kind: "recovery", Code: audit.CodeCrash},
		{Kind: "start"},
		{Kind: "task", Code: audit.CodeEnded, Detail: "ended: by the sponsor alice, as the operator states"},
	}
	for i := range records {
		records[i].Seq, records[i].Time = uint64(i), at.Add(time.Duration(i)*time.Second)
	}
	s := &audit.RelatedRecords{Record: records[5], Events: records, Lease: records[2:4]}

	var b strings.Builder
	if err := showRelated(&b, s); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	from := 0
	for _, want := range []string{
		"IN ORDER OF TIME",
		"the task begins: agent/triage for alice, INC-1, approved for wiki:page.*",
		"refused: lease_unavailable, no account is free",
		"account agent-01 of wiki checked out",
		"Byline begins a login as agent-01",
		"the login fails after 12ms: step 2: status 503",
		"permitted as page.edit on page/1; on record before it was sent: POST wiki:443/p; without 2 borrowed credentials (this record)",
		"the server was killed or crashed before this start",
		"the server starts",
		"the task ends: by the sponsor alice",
		"no outcome is on record, because the server was killed or crashed",
	} {
		n := strings.Index(out[from:], want)
		if n < 0 {
			t.Fatalf("after %d bytes the output lacks %q:\n%s", from, want, out)
		}
		from += n
	}
}
