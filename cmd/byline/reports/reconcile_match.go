package reports

import (
	"container/heap"
	"slices"
	"sort"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// match gives each entry one of the acts from which it may come. Entries of kinds that can
// share a request are matched kind by kind, after the others: they take none away.
//
// Entries from around the period take part, so that neither skew nor whole seconds hide
// anything at its ends. Reported is what is in the period by our clock.
func (r *Reconciler) match(own []*adapters.HistoryEntry) {
	groups := map[int][]*adapters.HistoryEntry{} // by kind; -1 for those that share no request
	for _, e := range own {
		group := -1
		if e.Many {
			group = e.Kind
		}
		groups[group] = append(groups[group], e)
	}
	kinds := make([]int, 0, len(groups))
	for kind := range groups {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)

	for _, kind := range kinds {
		for _, a := range r.acts {
			a.taken = 0
		}
		pass := r.newPass(groups[kind])
		pass.run()
		pass.improve()
		r.report(pass)
	}
	slices.SortStableFunc(r.result.Matched, func(x, y Match) int { return x.Entry.Time.Compare(y.Entry.Time) })
	slices.SortStableFunc(r.result.ApplicationOnly, func(x, y adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })
}

// report adds the result of a pass.
func (r *Reconciler) report(p *pass) {
	for i, e := range p.entries {
		a := p.given[i]
		if a == nil {
			if r.isInPeriod(e.Time) {
				r.result.ApplicationOnly = append(r.result.ApplicationOnly, *e)
			}
			continue
		}
		a.matched = true
		if r.result.Period.Contains(a.Began) {
			r.result.Matched = append(r.result.Matched, Match{Entry: e, Act: a})
		}
	}
}

// isInPeriod reports whether a time of the application can be in the period by our clock.
func (r *Reconciler) isInPeriod(t time.Time) bool {
	if r.result.Period.Contains(t.Add(-r.result.Skew.Ahead)) {
		return true
	}
	return slices.ContainsFunc(r.result.Clocks, func(s Skew) bool { return r.result.Period.Contains(t.Add(-s.Ahead)) })
}

// pass is the matching of entries that compete for the same acts. Every act takes up to
// limit of them.
type pass struct {
	r         *Reconciler
	entries   []*adapters.HistoryEntry // in order of time
	limit     int                      // 0: any number
	given     []*Act                   // to each entry
	holders   map[*Act][]int           // entries by act
	lanes     map[actKey]*lane
	tolerance int64 // microseconds
}

// lane holds the acts of one key as a pass goes through time.
type lane struct {
	acts    []*Act  // by from
	next    int     // the first that has not begun
	fresh   actHeap // those that have begun and explain no entry of another kind, by their end
	best    actHeap // likewise, of the others
	failed  actHeap // likewise, of those that the application refused
	longest *Act    // of those that took an entry, the one that ends last
}

func (r *Reconciler) newPass(entries []*adapters.HistoryEntry) *pass {
	p := &pass{
		r:         r,
		entries:   entries,
		limit:     1,
		given:     make([]*Act, len(entries)),
		holders:   map[*Act][]int{},
		lanes:     map[actKey]*lane{},
		tolerance: r.result.Tolerance.Microseconds(),
	}
	if entries[0].Many {
		p.limit = entries[0].AtMost
	}
	return p
}

// lane returns the lane of a key.
func (p *pass) lane(key actKey) *lane {
	l := p.lanes[key]
	if l == nil {
		acts := slices.Clone(p.r.index[key])
		slices.SortStableFunc(acts, func(x, y *Act) int { return int(min(max(x.from-y.from, -1), 1)) })
		l = &lane{acts: acts}
		p.lanes[key] = l
	}
	return l
}

// run gives each entry the act that ends first among those that fit: that leaves most to
// the entries that follow. Acts that explain no entry yet come first.
func (p *pass) run() {
	for i, e := range p.entries {
		from, to := e.Time.UnixMicro(), e.Time.Add(e.Precision).UnixMicro()
		var fresh, best, failed, used *Act
		keys := p.r.keysOf(e)
		for _, key := range keys {
			l := p.lane(key)
			l.advance(to+p.tolerance, from-p.tolerance, p.limit)
			fresh = earlier(fresh, l.fresh.first())
			best = earlier(best, l.best.first())
			failed = earlier(failed, l.failed.first())
			if p.limit == 0 && l.longest != nil && l.longest.to >= from-p.tolerance {
				used = l.longest
			}
		}

		switch {
		case fresh != nil:
			p.give(i, fresh)
		case best != nil:
			p.give(i, best)
		case used != nil:
			p.give(i, used)
		case failed != nil:
			p.give(i, failed)
		}
	}
}

// give gives an entry an act.
func (p *pass) give(i int, a *Act) {
	p.given[i] = a
	p.holders[a] = append(p.holders[a], i)
	a.taken++
	if p.limit > 0 {
		return
	}
	for _, key := range p.r.keysOf(p.entries[i]) {
		l := p.lane(key)
		if l.longest == nil || a.to > l.longest.to {
			l.longest = a
		}
	}
}

// advance takes in the acts that began before a time, and forgets those that ended before
// another one, or that take no more entries.
func (l *lane) advance(begun, ended int64, limit int) {
	for l.next < len(l.acts) && l.acts[l.next].from <= begun {
		a := l.acts[l.next]
		l.next++
		switch {
		case a.failed:
			heap.Push(&l.failed, a)
		case a.matched:
			heap.Push(&l.best, a)
		default:
			heap.Push(&l.fresh, a)
		}
	}
	for _, h := range []*actHeap{&l.fresh, &l.best, &l.failed} {
		for len(*h) > 0 && ((*h)[0].to < ended || (*h)[0].taken >= max(limit, 1)) {
			heap.Pop(h)
		}
	}
}

// earlier returns the act that ends first. Either may be nil.
func earlier(x, y *Act) *Act {
	if x == nil || y != nil && y.to < x.to {
		return y
	}
	return x
}

// Bounds of what improve tries.
const (
	maxImproved  = 1000 // entries
	maxTried     = 2000 // acts for each of them
	maxLookBack  = 200  // acts for each key
	maxImproving = 64   // length of a chain
)

// improve looks for acts for entries that got none: another entry may have taken theirs,
// and have a second choice.
func (p *pass) improve() {
	if p.limit == 0 {
		return
	}
	tried := 0
	for i := range p.entries {
		if p.given[i] != nil {
			continue
		}
		if tried++; tried > maxImproved {
			return
		}
		p.find(i, map[*Act]bool{}, 0)
	}
}

// find gives an entry an act, if entries that have one can be given others. seen has the
// acts that were tried.
func (p *pass) find(i int, seen map[*Act]bool, depth int) bool {
	if depth > maxImproving {
		return false
	}
	for _, a := range p.fitting(p.entries[i]) {
		if seen[a] || len(seen) > maxTried {
			continue
		}
		seen[a] = true
		if a.taken < p.limit {
			p.give(i, a)
			return true
		}
		for n, other := range p.holders[a] {
			p.given[other] = nil
			if p.find(other, seen, depth+1) {
				p.holders[a][n] = i
				p.given[i] = a
				return true
			}
			p.given[other] = a
		}
	}
	return false
}

// fitting returns the acts from which an entry may come.
func (p *pass) fitting(e *adapters.HistoryEntry) []*Act {
	from, to := e.Time.UnixMicro()-p.tolerance, e.Time.Add(e.Precision).UnixMicro()+p.tolerance
	var fits []*Act
	for _, key := range p.r.keysOf(e) {
		acts := p.lane(key).acts
		end := sort.Search(len(acts), func(i int) bool { return acts[i].from > to })
		for i := end - 1; i >= max(end-maxLookBack, 0); i-- {
			if acts[i].to >= from {
				fits = append(fits, acts[i])
			}
		}
	}
	return fits
}

// actHeap is a heap of acts by their end.
type actHeap []*Act

func (h actHeap) Len() int           { return len(h) }
func (h actHeap) Less(i, j int) bool { return h[i].to < h[j].to }
func (h actHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *actHeap) Push(x any) { *h = append(*h, x.(*Act)) }

// Pop implements heap.Interface.
func (h *actHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (h actHeap) first() *Act {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}
