package reports

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

func TestBorrowedNamesThePersonAndTheAgents(t *testing.T) {
	alice := audit.Stripped{In: "cookie", Name: "wiki_session", Fingerprint: "hmac-sha256:aa", Person: "alice"}
	header := audit.Stripped{In: "header", Name: "X-Forwarded-For", Fingerprint: "hmac-sha256:bb"}
	var l testLog
	l.request("alert", "t1", "triage", "bob", "", "", "borrowed_seen").Stripped = []audit.Stripped{alice}
	l.request("intent", "t1", "triage", "bob", "page.read", "p", "").Stripped = []audit.Stripped{alice, header}
	l.request("alert", "t2", "other", "carol", "", "", "borrowed_shared").Stripped = []audit.Stripped{alice}
	l.request("refusal", "t2", "other", "carol", "page.read", "p", "out_of_scope").Stripped = []audit.Stripped{alice}

	for _, c := range []struct {
		name string
		p    Period
		all  bool
		want []string
	}{
		{"sessions", Period{}, false, []string{"aa"}},
		{"everything that was stripped", Period{}, true, []string{"aa", "bb"}},
		{"before the first", Period{To: day}, true, nil},
		{"after the header", Period{From: day.Add(2 * time.Minute)}, true, []string{"aa"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := Borrowed(l.all(), c.p, c.all)
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
			if len(found) == 0 {
				return
			}
			b := found[0]
			if !slices.Equal(b.Agents, []string{"other", "triage"}) || !slices.Equal(b.Persons, []string{"alice"}) ||
				b.Times != 2 || !b.First.Equal(day) || !b.Last.Equal(day.Add(3*time.Minute)) {
				t.Errorf("got %+v, want the session of alice with both agents, in 2 requests from 09:00 to 09:03", b)
			}
		})
	}
}
