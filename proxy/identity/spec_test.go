package identity

import (
	"strings"
	"testing"
	"time"
)

func TestCreateReportsEveryProblemOfASpec(t *testing.T) {
	spec := Spec{Agent: "a\nb", TTL: "25h", Scope: []ScopeEntry{{Adapter: "wiki"}}}
	_, _, err := newTestRegistry(t).Create(spec, time.Now())
	if err == nil {
		t.Fatal("Create accepted the spec")
	}
	for _, want := range []string{
		"agent: holds a control character",
		"sponsor: is missing",
		"purpose: is missing",
		`ttl: "25h"`,
		"scope[0].actions: is empty",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestGrantIsTheDigestOfTheApprovalAlone(t *testing.T) {
	longer := triage
	longer.TTL = "1h"
	if longer.Grant() != triage.Grant() {
		t.Error("the TTL changes the grant")
	}

	wider := triage
	wider.Scope = []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.*"}}}
	if wider.Grant() == triage.Grant() {
		t.Error("a wider scope has the same grant")
	}

	const prefix = "sha256:"
	if g := triage.Grant(); !strings.HasPrefix(g, prefix) || len(g) != len(prefix)+64 {
		t.Errorf("grant %q, want %s and 64 hexadecimal digits", g, prefix)
	}
}

// TestI7NamesThatLookLikeOthersAreRefused puts characters that are not seen, or that
// change how others are seen, into each name of a task.
func TestI7NamesThatLookLikeOthersAreRefused(t *testing.T) {
	var limits Config
	limits.SetDefaults()
	for _, c := range []string{"\x1b", "\x7f", "\u0085", "\u009b", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\u00ad", "\ufeff", "\xff"} {
		bad := "ali" + c + "ce"
		for name, change := range map[string]func(*Spec){
			"agent":   func(s *Spec) { s.Agent = bad },
			"sponsor": func(s *Spec) { s.Sponsor = bad },
			"purpose": func(s *Spec) { s.Purpose = bad },
			"adapter": func(s *Spec) { s.Scope = []ScopeEntry{{Adapter: bad, Actions: []string{"a"}}} },
			"action":  func(s *Spec) { s.Scope = []ScopeEntry{{Adapter: "wiki", Actions: []string{bad}}} },
			"resource": func(s *Spec) {
				s.Scope = []ScopeEntry{{Adapter: "wiki", Actions: []string{"a"}, Resources: []string{bad}}}
			},
		} {
			spec := triage
			change(&spec)
			if problems := spec.Check(limits); len(problems) != 1 {
				t.Errorf("%s %+q: got the problems %v, want one", name, bad, problems)
			}
		}
	}
}
