// Package reports reads the record and says what it shows. Its functions take
// records in order from the log's beginning, keep what they count in memory and
// nothing else, and change nothing. Whether the record itself is whole is
// another question: byline audit verify answers it.
package reports

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Records are those of one log, from its beginning, with the error that ended
// the reading, if one did.
type Records = iter.Seq2[audit.Record, error]

// Period is from a time, inclusive, to a time, exclusive. Zero times are open.
type Period struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Holds says whether t lies in it.
func (p Period) Holds(t time.Time) bool {
	return !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To))
}

// String is for people: "2026-11-01 00:00 to 2026-11-25 09:30 UTC".
func (p Period) String() string {
	const layout = "2006-01-02 15:04"
	from, to := "the beginning", "now"
	if !p.From.IsZero() {
		from = p.From.UTC().Format(layout)
	}
	if !p.To.IsZero() {
		to = p.To.UTC().Format(layout)
	}
	return from + " to " + to + " UTC"
}

// ParseTime reads a day (its beginning, UTC), an RFC 3339 time, or how long
// before now, like 36h or 30d.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days+" ", "%d ", &n); err == nil && n >= 0 && fmt.Sprint(n) == days {
			return now.Add(-time.Duration(n) * 24 * time.Hour).UTC(), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write it like 2026-11-01, 2026-11-01T08:00:00Z, 36h or 30d", s)
}
