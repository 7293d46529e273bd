// Package reports reads the record and reports what it shows. Its functions take the
// records in order from the beginning of the log, keep in memory only what they count,
// and change nothing. They do not check whether the record itself is whole: byline audit
// verify does.
package reports

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Records are the records of one log from its beginning. An error ends them.
type Records = iter.Seq2[audit.Record, error]

// Period is from a time, inclusive, to a time, exclusive. A zero time leaves its side
// open.
type Period struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Contains reports whether t is in the period.
func (p Period) Contains(t time.Time) bool {
	return !t.Before(p.From) && !p.IsOver(t)
}

// IsOver reports whether t is after the period. Records are in order of time, so a reader
// can stop there.
func (p Period) IsOver(t time.Time) bool {
	return !p.To.IsZero() && !t.Before(p.To)
}

// String is the period for people: "2026-11-01 00:00 to 2026-11-25 09:30 UTC".
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

// ParseTime reads a day (its beginning in UTC), an RFC 3339 time, or how long before now,
// like 36h or 30d.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}

	if digits, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(digits, 10, 16); err == nil {
			return now.Add(-time.Duration(days) * 24 * time.Hour).UTC(), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write it like 2026-11-01, 2026-11-01T08:00:00Z, 36h or 30d", s)
}
