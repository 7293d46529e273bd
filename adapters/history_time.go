package adapters

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the layouts of package time that are tried if the adapter names none.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "20060102150405", "Mon Jan 2 15:04:05 2006", "2006-01-02 15:04:05 -0700",
	"2006-01-02T15:04:05-0700", "02/Jan/2006:15:04:05 -0700", time.RFC1123Z, time.Stamp,
}

// The formats of log.entry.time_format that are not layouts.
const (
	formatUnix      = "unix"
	formatUnixMilli = "unix_ms"
)

// maxAhead is how much later than the newest expected time one without a year may be.
const maxAhead = 36 * time.Hour

// timeLayout is a layout of package time, and what its times leave open.
type timeLayout struct {
	layout    string
	precision time.Duration
	hasYear   bool
}

// timeLayoutsOf returns the layouts in which times of a format are read.
func timeLayoutsOf(format string) []timeLayout {
	texts := timeLayouts
	if format != "" {
		texts = []string{format}
	}
	layouts := make([]timeLayout, 0, len(texts))
	for _, l := range texts {
		layouts = append(layouts, timeLayout{l, precisionOf(l), tellsApart(l, 2001, 2002)})
	}
	return layouts
}

// precisionOf returns the smallest unit that times in a layout have.
func precisionOf(layout string) time.Duration {
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, unit := range []time.Duration{time.Second, time.Minute, time.Hour} {
		if at.Format(layout) != at.Add(unit).Format(layout) {
			return unit
		}
	}
	return 24 * time.Hour
}

// tellsApart reports whether a layout has the year.
func tellsApart(layout string, year, other int) bool {
	at := func(y int) string { return time.Date(y, 2, 3, 4, 5, 6, 0, time.UTC).Format(layout) }
	return at(year) != at(other)
}

// parseTime reads a time as log.entry says, and returns its precision. The result is in UTC.
func (r *HistoryReader) parseTime(s string) (time.Time, time.Duration, error) {
	switch r.spec.Entry.TimeFormat {
	case formatUnix, formatUnixMilli:
		return parseUnix(s, r.spec.Entry.TimeFormat)
	}

	for i := range r.layouts {
		l := &r.layouts[i]
		t, err := time.ParseInLocation(l.layout, s, r.zone)
		if err != nil {
			continue
		}
		if !l.hasYear {
			t = r.withYear(t)
		}
		return t.UTC(), l.precision, nil
	}
	return time.Time{}, 0, fmt.Errorf("the time %q has an unknown format; set log.entry.time_format", clip(s))
}

// timeOf returns the text of an item's time.
func (r *HistoryReader) timeOf(item map[string]string) string {
	if !strings.Contains(r.spec.Entry.Time, "${") {
		return item[r.spec.Entry.Time]
	}
	text, err := expandTemplate(r.spec.Entry.Time, func(name string) (string, error) { return item[name], nil })
	if err != nil {
		return "" // which is no time
	}
	return text
}

// withYear returns a time whose year is not known in the last year in which it is not much later than the newest
// one expected. The 29th of February is in a leap year.
func (r *HistoryReader) withYear(t time.Time) time.Time {
	newest := r.newest
	if newest.IsZero() {
		newest = time.Now()
	}
	for year := newest.Year() + 1; year > newest.Year()-8; year-- {
		dated := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		if dated.Day() == t.Day() && !dated.After(newest.Add(maxAhead)) {
			return dated
		}
	}
	return t
}

// parseUnix reads a number of seconds or milliseconds since 1970, which may have a fraction.
func parseUnix(s, format string) (time.Time, time.Duration, error) {
	unit := time.Second
	if format == formatUnixMilli {
		unit = time.Millisecond
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > 1<<53 || n < -(1<<53) || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, 0, fmt.Errorf("the time %q is not a number of seconds or milliseconds since 1970, as log.entry.time_format says", clip(s))
	}

	at := time.Unix(n, 0)
	if unit == time.Millisecond {
		at = time.UnixMilli(n)
	}
	if fraction != "" {
		part, _ := strconv.ParseFloat("0."+fraction, 64)
		at = at.Add(time.Duration(part * float64(unit)))
		unit = time.Millisecond
	}
	return at.UTC(), unit, nil
}

// clip returns the beginning of a text for an error.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// parseZone returns the time zone of a name of the IANA data base or of an offset such as +02:00. "" is UTC.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if t, err := time.Parse(layout, name); err == nil {
			_, offset := t.Zone()
			return time.FixedZone(name, offset), nil
		}
	}
	if strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("the zone %q depends on the machine; name the application's", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone %q is not known", name)
	}
	return zone, nil
}

// Before reports whether an item is older than a time. It fails if the item's time is not readable.
func (r *HistoryReader) Before(item map[string]string, when time.Time) (bool, error) {
	t, _, err := r.parseTime(r.timeOf(item))
	return t.Before(when), err
}
