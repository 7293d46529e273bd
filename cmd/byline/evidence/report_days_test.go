package evidence

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestDaysHaveAxes(t *testing.T) {
	c := chartDays([]Day{{Day: "2026-10-01", Requests: 1657, Refusals: 1}, {Day: "2026-10-03", Requests: 2}, {Day: "2026-10-20", Refusals: 1}})
	var counts, days []string
	for _, l := range c.Lines {
		counts = append(counts, l.Label)
	}
	for _, tick := range c.Ticks {
		days = append(days, tick.Label)
	}
	if got := counts; len(got) != 3 || got[0] != "0" || got[1] != "1000" || got[2] != "2000" {
		t.Errorf("the axis of counts has %v, want 0, 1000 and 2000", got)
	}
	if len(days) != 3 || days[0] != "2026-10-01" || days[2] != "2026-10-20" {
		t.Errorf("the axis of days has %v, want the first, the last and one between", days)
	}

	if len(c.Columns) != 3 {
		t.Fatalf("the chart has %d columns, want 3", len(c.Columns))
	}
	first, second := c.Columns[0], c.Columns[1]
	if gap := second.X - first.X; gap < 2*(first.Width) {
		t.Errorf("a day without records takes no room: the second column is %d after the first, which is %d wide", gap, first.Width)
	}
	if c.Columns[0].RefusedH < 1 || c.Columns[2].RefusedH < 1 {
		t.Errorf("a single refusal is not seen: %+v", c.Columns)
	}
	for _, col := range c.Columns {
		if col.RefusedY < 0 || col.X+col.Width > c.Width {
			t.Errorf("the column %+v is outside of the chart", col)
		}
	}

	if one := chartDays([]Day{{Day: "2026-10-01", Requests: 1}}); len(one.Ticks) != 1 || one.Lines[2].Label != "2" {
		t.Errorf("one day with one request gives %+v", one)
	}
	if none := chartDays(nil); len(none.Columns) != 0 {
		t.Errorf("no day gives %+v", none)
	}
}

// TestBrowsersOwnCallsAreApart counts refusals of what an agent tried and of what its
// browser asked for without being told to.
func TestBrowsersOwnCallsAreApart(t *testing.T) {
	now := time.Now().UTC()
	refusal := func(host, path string) audit.Record {
		return audit.Record{Kind: "refusal", Method: "GET", Host: host, Path: path, Code: "unknown_action", Time: now}
	}
	records := func(yield func(audit.Record, error) bool) {
		for _, r := range []audit.Record{refusal("wiki.acme.example", "/admin"), refusal("wiki.acme.example", "/favicon.ico"), refusal("update.googleapis.com", "/x")} {
			if !yield(r, nil) {
				return
			}
		}
	}
	f, err := Count(records, reports.Period{})
	must(t, err)
	if f.Refusals != 3 || f.Refused["unknown_action"] != 3 {
		t.Errorf("all refusals: %d, %v; want 3", f.Refusals, f.Refused)
	}
	if f.BrowserRefusals != 2 || f.RefusedOfAgents["unknown_action"] != 1 || f.BrowserCalls["/favicon.ico"] != 1 || f.Days[0].Browser != 2 {
		t.Errorf("apart: %+v; want 2 of the browser and 1 of the agent", f)
	}
}

// TestAnOpenSegmentIsCopiedWithoutItsZeros writes evidence while the log is open.
func TestAnOpenSegmentIsCopiedWithoutItsZeros(t *testing.T) {
	dir := t.TempDir()
	key, err := journal.NewKey()
	must(t, err)
	l, err := journal.Open(journal.Config{Dir: dir}, key, "test")
	must(t, err)
	defer l.Close()
	must(t, l.Append(&audit.Record{Kind: "note"}).Wait(context.Background()))

	segments, err := filepath.Glob(filepath.Join(dir, "seg-*.jsonl"))
	must(t, err)
	f, err := os.OpenFile(segments[0], os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(make([]byte, 1<<20)) // as if the writer had prepared the segment
	must(t, err)
	must(t, f.Close())

	w := &folderWriter{dir: t.TempDir()}
	w.copyLog(audit.Folders{dir})
	must(t, w.err)
	copied, err := os.ReadFile(filepath.Join(w.dir, "log", filepath.Base(segments[0])))
	must(t, err)
	if bytes.IndexByte(copied, 0) >= 0 || !bytes.HasSuffix(copied, []byte("}\n")) || len(copied) > 4096 {
		t.Errorf("the copy has %d bytes and ends with %q, want the lines alone", len(copied), copied[max(0, len(copied)-20):])
	}
}
