package reports

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	now := day
	for in, want := range map[string]time.Time{
		"2026-11-01":                time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-11-01T08:00:00+02:00": time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
		"36h":                       now.Add(-36 * time.Hour),
		"30d":                       now.AddDate(0, 0, -30),
	} {
		if got, err := ParseTime(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v %v, want %v", in, got, err, want)
		}
	}

	for _, in := range []string{"", "yesterday", "-3h", "-3d", "3 d", "d", "2026-13-01"} {
		if got, err := ParseTime(in, now); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}
