package reports

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
)

// TestCookiesOfOneSessionAreOneRow lists sessions that consist of several cookies.
func TestCookiesOfOneSessionAreOneRow(t *testing.T) {
	cookie := func(name, print, person string) audit.Stripped {
		return audit.Stripped{In: "cookie", Name: name, Fingerprint: print, Person: person}
	}
	var l testLog
	send := func(agent string, stripped ...audit.Stripped) {
		l.request("alert", "t1", agent, "bob", "", "", "borrowed_seen").Stripped = stripped
		l.request("intent", "t1", agent, "bob", "page.read", "p", "").Stripped = append(stripped, cookie("_ga", "analytics", ""))
	}
	send("triage", cookie("sid", "alice-1", "alice"), cookie("UserName", "alice-name", "alice"), cookie("remember", "alice-r", ""))
	send("triage", cookie("sid", "alice-1", "alice"), cookie("UserName", "alice-name", "alice"))
	send("triage", cookie("sid", "alice-1", ""))
	send("other", cookie("sid", "alice-2", "alice"), cookie("UserName", "alice-name", "alice"))
	send("other", cookie("sid", "bob-1", "bob"), cookie("remember", "bob-r", "bob"))
	send("other", audit.Stripped{In: "header", Name: "Authorization", Fingerprint: "basic", Person: "carol"}, cookie("sid", "bob-1", "bob"))

	found, err := Borrowed(l.all(), Period{}, false)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Sighting{}
	for _, b := range found {
		got[b.Fingerprint] = b
	}
	for print, want := range map[string]struct{ also, times int }{
		"alice-1": {2, 4}, // the name also came with the other session
		"alice-2": {0, 1},
		"bob-1":   {1, 2},
		"basic":   {0, 1},
	} {
		b := got[print]
		if len(b.Also) != want.also || b.Times != want.times {
			t.Errorf("%s: %d other cookies in %d requests, want %d in %d: %+v", print, len(b.Also), b.Times, want.also, want.times, b)
		}
		delete(got, print)
	}
	if len(got) > 0 {
		t.Errorf("further rows %+v", got)
	}
}
