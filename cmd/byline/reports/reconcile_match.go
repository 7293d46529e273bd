package reports

import (
	"math"
	"slices"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

const (
	// defaultTolerance applies if the skew cannot be estimated.
	defaultTolerance = 30 * time.Second

	// minTolerance allows for applications that write whole seconds, and that act at some
	// time between request and answer.
	minTolerance = 3 * time.Second

	// skewWindow is how far apart the distances of pairs may be that agree on the skew.
	skewWindow = 4 * time.Second

	// maxRequestTime bounds how long before its end a request may have begun.
	maxRequestTime = time.Hour
)

// candidates returns the requests from which an entry may come, if the application's
// clock is ahead of ours by ahead and times agree within tolerance.
func (m *matcher) candidates(e *adapters.HistoryEntry, ahead, tolerance time.Duration) []*Act {
	at := e.Time.Add(-ahead)
	var found []*Act
	for _, action := range e.Actions {
		acts := m.acts[actKey{normalizeName(e.User), action}]

		// Go back from the last request that began before the entry.
		end, _ := slices.BinarySearchFunc(acts, at.Add(tolerance), func(a *Act, t time.Time) int { return a.Began.Compare(t) })
		for i := end - 1; i >= 0 && at.Sub(acts[i].Began) < maxSkew+tolerance+maxRequestTime; i-- {
			a := acts[i]
			if !at.After(a.Ended.Add(tolerance)) && isSameResource(e, a.Resource) {
				found = append(found, a)
			}
		}
	}
	return found
}

// isSameResource reports whether an entry can be about a resource. An entry that names
// none can be about any.
func isSameResource(e *adapters.HistoryEntry, resource string) bool {
	resource = normalizeName(resource)
	return e.Resource == "" || normalizeName(e.Resource) == resource ||
		slices.ContainsFunc(e.Also, func(other string) bool { return normalizeName(other) == resource })
}

// estimateSkew takes the distance between entries and requests on which most pairs agree.
// Each entry has one true request, whose distance is about the skew; the distances of
// the false ones scatter.
func (m *matcher) estimateSkew(entries []adapters.HistoryEntry) {
	var distances []time.Duration
	for i := range entries {
		for _, act := range m.candidates(&entries[i], 0, maxSkew) {
			if act.mayHaveChanged() {
				middle := act.Began.Add(act.Ended.Sub(act.Began) / 2)
				distances = append(distances, entries[i].Time.Sub(middle))
			}
		}
	}
	slices.Sort(distances)
	agreed := densestRun(distances, skewWindow)

	s := &m.result.Skew
	s.Samples = len(agreed)
	if s.Samples < MinSkewSamples {
		m.result.Tolerance = defaultTolerance
		return
	}

	s.Ahead = agreed[len(agreed)/2]
	deviations := make([]time.Duration, len(agreed))
	for i, d := range agreed {
		deviations[i] = (d - s.Ahead).Abs()
	}
	slices.Sort(deviations)
	s.Spread = deviations[len(deviations)/2]
	m.result.Tolerance = max(minTolerance, 4*s.Spread)
}

// densestRun returns the longest run of a sorted list whose ends are at most width apart.
func densestRun(sorted []time.Duration, width time.Duration) []time.Duration {
	var best []time.Duration
	first := 0
	for last := range sorted {
		for sorted[last]-sorted[first] > width {
			first++
		}
		if last+1-first > len(best) {
			best = sorted[first : last+1]
		}
	}
	return best
}

// match gives each entry, in order of time, the request that ends first among its
// candidates: that leaves most to the entries that follow. Entries that can share a
// request with others choose last, because they take none away.
//
// Entries from around the period take part, so that neither skew nor whole seconds hide
// anything at its ends. Reported is what is in the period by our clock.
func (m *matcher) match(entries []adapters.HistoryEntry) {
	slices.SortStableFunc(entries, func(x, y adapters.HistoryEntry) int {
		switch {
		case x.Many == y.Many:
			return 0
		case y.Many:
			return -1
		}
		return 1
	})

	r := m.result
	for i := range entries {
		e := &entries[i]
		found := m.candidates(e, r.Skew.Ahead, r.Tolerance)
		best := choose(found, func(a *Act) bool { return !a.matched })
		if best == nil && e.Many {
			best = choose(found, func(*Act) bool { return true })
		}

		switch {
		case best == nil && r.Period.Contains(e.Time.Add(-r.Skew.Ahead)):
			r.ApplicationOnly = append(r.ApplicationOnly, *e)
		case best != nil:
			best.matched = true
			if r.Period.Contains(best.Began) {
				r.Matched = append(r.Matched, Match{Entry: *e, Act: best})
			}
		}
	}

	slices.SortStableFunc(r.Matched, func(x, y Match) int { return x.Entry.Time.Compare(y.Entry.Time) })
	slices.SortStableFunc(r.ApplicationOnly, func(x, y adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })
}

// choose returns the best of the requests that fit, or nil. It prefers those that can
// have changed something, then those that end first.
func choose(found []*Act, fits func(*Act) bool) *Act {
	rank := func(a *Act) int64 {
		n := a.Ended.UnixMicro()
		if !a.mayHaveChanged() {
			n += math.MaxInt64 / 2
		}
		return n
	}

	var best *Act
	for _, a := range found {
		if fits(a) && (best == nil || rank(a) < rank(best)) {
			best = a
		}
	}
	return best
}
