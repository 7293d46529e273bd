package audit

import (
	"fmt"
	"testing"
)

// TestRecordsOfAThousandTasksAreEncodedFromTheCache checks that tasks do not replace
// each other in the cache: with all of them at work, almost every record uses the
// cache. A few sets have more tasks than slots.
func TestRecordsOfAThousandTasksAreEncodedFromTheCache(t *testing.T) {
	const tasks = 1000
	records := intentsOf(tasks)
	var body []byte
	encodeAll := func() {
		for _, r := range records {
			body = AppendBody(body[:0], r)
		}
	}

	encodeAll()
	if got := testing.AllocsPerRun(10, encodeAll) / tasks; got > 0.5 {
		t.Errorf("a record of one of %d tasks allocates %.2f times, want next to never", tasks, got)
	}
}

// TestTheCacheKeepsMembersApart encodes records of two tasks in one set, over and
// over, and checks that each has its own members.
func TestTheCacheKeepsMembersApart(t *testing.T) {
	var c memberCache
	keys := [4]string{`,"agent":`, `,"sponsor":`, `,"task":`, `,"grant":`}
	for i := range 100 {
		agent := fmt.Sprintf("agent-%d", i%7)
		want := fmt.Sprintf(`,"agent":%q,"sponsor":"s","task":"t","grant":"g"`, agent)
		got := string(c.appendMembers(nil, "t", keys, memberValues{agent, "s", "t", "g"}))
		if got != want {
			t.Fatalf("the members of %s are %s, want %s", agent, got, want)
		}
	}
}

// BenchmarkAppendBody measures records of as many tasks as the name says.
func BenchmarkAppendBody(b *testing.B) {
	for _, tasks := range []int{1, 32, 1000} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			records := intentsOf(tasks)
			var body []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body = AppendBody(body[:0], records[i%tasks])
			}
		})
	}
}

// intentsOf returns one intent of each of n tasks.
func intentsOf(n int) []*Record {
	records := make([]*Record, n)
	for i := range records {
		records[i] = &Record{Kind: "intent", Agent: "agent", Sponsor: "alice@acme.example", Task: fmt.Sprintf("t_%026d", i), Grant: "sha256:abcd",
			Adapter: "wiki", AdapterDigest: "sha256:1234", PolicyDigest: "sha256:5678", Action: "page.read", Method: "GET", Path: "/page/1"}
	}
	return records
}
