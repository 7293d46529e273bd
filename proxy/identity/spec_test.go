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
