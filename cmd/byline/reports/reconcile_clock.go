package reports

import (
	"cmp"
	"slices"
	"sort"
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

	// maxPairs bounds the pairs that are looked at for the skew.
	maxPairs = 1 << 20

	// surePairs is how many pairs must agree on a skew of more than defaultTolerance,
	// unless there are no others: of many pairs a few agree by chance.
	surePairs = 5
)

// pair is an entry and an act that may belong together.
type pair struct {
	distance   time.Duration // from the middle of the act to that of the entry
	entry, act int
}

// agreement is what most pairs agree on.
type agreement struct {
	Skew
	entries, acts int // that have any pair
}

// isSure reports whether the agreement is more than chance. The bar is higher for a skew
// that is larger than what is tolerated without one: entries that are somebody else's
// must not be explained by it.
func (g *agreement) isSure() bool {
	if g.Samples < MinSkewSamples {
		return false
	}
	if g.Ahead.Abs() <= defaultTolerance {
		return true
	}
	isAll := g.Samples == g.entries && g.Samples == g.acts
	return isAll || g.Samples >= surePairs && 2*g.Samples >= g.entries && 3*g.Samples >= g.acts
}

// estimateClocks finds how far the application's clock is ahead of ours in each part of
// the record between two steps of our clock, and how far apart times may be.
func (r *Reconciler) estimateClocks(own []*adapters.HistoryEntry) {
	parts := len(r.steps) + 1
	found := make([]agreement, parts)
	sure := make([]bool, parts)
	isAnySure := false
	for part := range parts {
		found[part] = r.agree(own, func(a *Act) bool { return a.epoch == part }, r.centers(part), maxSkew)
		sure[part] = found[part].isSure()
		isAnySure = isAnySure || sure[part]
	}
	if !isAnySure {
		r.estimateZone(own, found, sure)
	}

	r.result.Tolerance = 0
	for part := range parts {
		near := nearestSure(sure, part)
		if near < 0 {
			found[part].Ahead, found[part].Spread = 0, 0
		} else if near != part {
			found[part].Ahead = found[near].Ahead
		}
		tolerance := defaultTolerance
		if sure[part] {
			tolerance = max(minTolerance, 4*found[part].Spread)
		}
		if sure[part] || parts == 1 || !isAnySure {
			r.result.Tolerance = max(r.result.Tolerance, tolerance)
		}
		if found[part].Samples >= r.result.Skew.Samples {
			r.result.Skew = found[part].Skew
		}
		if parts > 1 {
			r.result.Clocks = append(r.result.Clocks, found[part].Skew)
		}
	}

	for _, a := range r.acts {
		ahead := found[a.epoch].Ahead
		a.from, a.to = a.Began.Add(ahead).UnixMicro(), a.Ended.Add(ahead).UnixMicro()
	}
}

// estimateZone looks for times that are hours off, as those of another time zone are, and
// says so.
func (r *Reconciler) estimateZone(own []*adapters.HistoryEntry, found []agreement, sure []bool) {
	g := r.agree(own, func(*Act) bool { return true }, []time.Duration{0}, maxZone)
	if !g.isSure() || g.Ahead.Abs() <= maxSkew {
		return
	}
	for part := range found {
		found[part], sure[part] = g, true
	}
	r.find(Finding{
		Code:   "time_zone",
		What:   "the application's times are " + hoursText(g.Ahead) + " off ours: its log is in another time zone than the adapter says, or its clock is wrong",
		Remedy: "set log.entry.zone in the adapter to the time zone of the log",
		Count:  g.Samples,
	})
}

// hoursText is a distance in hours and minutes.
func hoursText(d time.Duration) string { return d.Round(time.Minute).String() }

// centers returns around which distances the skew is looked for in a part of the record.
// Our clock may have been wrong before it was set, or since.
func (r *Reconciler) centers(part int) []time.Duration {
	sum := make([]time.Duration, len(r.steps)+1)
	for i, step := range r.steps {
		sum[i+1] = sum[i] + step
	}

	centers := []time.Duration{0}
	for other := range sum {
		center := sum[part] - sum[other]
		isNew := !slices.ContainsFunc(centers, func(c time.Duration) bool { return (c - center).Abs() < maxSkew/2 })
		if isNew && len(centers) < 9 && center.Abs() <= maxZone {
			centers = append(centers, center)
		}
	}
	return centers
}

// nearestSure returns the part whose skew is known and that is nearest to a part, or -1.
func nearestSure(sure []bool, part int) int {
	for d := range sure {
		for _, i := range []int{part + d, part - d} {
			if i >= 0 && i < len(sure) && sure[i] {
				return i
			}
		}
	}
	return -1
}

// agree takes the distance between entries and acts on which most pairs agree. Each entry
// has one true act, whose distance is about the skew; the distances of the false ones
// scatter. Distances within width of a center are looked at.
func (r *Reconciler) agree(own []*adapters.HistoryEntry, fits func(*Act) bool, centers []time.Duration, width time.Duration) agreement {
	pairs, precision := r.pairsOf(own, fits, centers, width)
	slices.SortFunc(pairs, func(x, y pair) int { return cmp.Compare(x.distance, y.distance) })

	var g agreement
	entries, acts := map[int]int{}, map[int]int{}
	allEntries, allActs := map[int]bool{}, map[int]bool{}
	best, bestFrom, bestTo := 0, 0, 0
	first := 0
	for last := range pairs {
		p := &pairs[last]
		entries[p.entry]++
		acts[p.act]++
		allEntries[p.entry], allActs[p.act] = true, true
		for p.distance-pairs[first].distance > skewWindow+precision {
			drop(entries, pairs[first].entry)
			drop(acts, pairs[first].act)
			first++
		}
		n := min(len(entries), len(acts))
		isCloser := n == best && n > 0 && pairs[last].distance.Abs() < pairs[bestTo-1].distance.Abs()
		if n > best || isCloser {
			best, bestFrom, bestTo = n, first, last+1
		}
	}

	g.entries, g.acts, g.Samples = len(allEntries), len(allActs), best
	if best == 0 {
		return g
	}
	agreed := pairs[bestFrom:bestTo]
	g.Ahead = agreed[len(agreed)/2].distance
	deviations := make([]time.Duration, len(agreed))
	for i, p := range agreed {
		deviations[i] = (p.distance - g.Ahead).Abs()
	}
	slices.Sort(deviations)
	g.Spread = deviations[len(deviations)/2]
	return g
}

// drop takes one from a count and forgets it at 0.
func drop(counts map[int]int, key int) {
	counts[key]--
	if counts[key] == 0 {
		delete(counts, key)
	}
}

// pairsOf returns the pairs with a distance within width of a center, and the coarsest
// unit of the entries' times. If there are too many, it takes those of the entries that
// have the fewest: they say most.
func (r *Reconciler) pairsOf(own []*adapters.HistoryEntry, fits func(*Act) bool, centers []time.Duration, width time.Duration) ([]pair, time.Duration) {
	type choice struct{ entry, count int }
	var choices []choice
	precision := time.Duration(0)
	for i, e := range own {
		precision = max(precision, e.Precision)
		n := 0
		r.eachNear(e, centers, width, func(acts []*Act) { n += len(acts) })
		if n > 0 {
			choices = append(choices, choice{i, n})
		}
	}
	slices.SortStableFunc(choices, func(x, y choice) int { return x.count - y.count })

	var pairs []pair
	budget := maxPairs
	for _, c := range choices {
		if budget -= c.count; budget < 0 {
			break
		}
		e := own[c.entry]
		r.eachNear(e, centers, width, func(acts []*Act) {
			for _, a := range acts {
				if a.failed || a.Action == adapters.ActionProbe || !fits(a) {
					continue
				}
				middle := a.Began.Add(a.Ended.Sub(a.Began) / 2)
				distance := e.Time.Add(e.Precision / 2).Sub(middle)
				pairs = append(pairs, pair{distance, c.entry, a.number})
			}
		})
	}
	return pairs, precision
}

// eachNear calls do with the acts from which an entry may come whose beginning is within
// width of the entry's time less a center.
func (r *Reconciler) eachNear(e *adapters.HistoryEntry, centers []time.Duration, width time.Duration, do func([]*Act)) {
	for _, key := range r.keysOf(e) {
		acts := r.index[key]
		for _, center := range centers {
			at := e.Time.Add(-center)
			from := sort.Search(len(acts), func(i int) bool { return !acts[i].Began.Before(at.Add(-width)) })
			to := sort.Search(len(acts), func(i int) bool { return acts[i].Began.After(at.Add(width)) })
			if from < to {
				do(acts[from:to])
			}
		}
	}
}
