package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// Act is one recorded request that should show in the application's history.
type Act struct {
	Record   string    `json:"record"` // id of the intent
	Task     string    `json:"task"`
	Agent    string    `json:"agent"`
	Sponsor  string    `json:"sponsor"`
	Grant    string    `json:"grant"`
	Account  string    `json:"account"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	Method   string    `json:"method"`
	Status   int       `json:"status,omitempty"` // of the answer; 0: the outcome is not known
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`

	user    string
	matched bool
}

// Match joins an entry of the application with the request that caused it.
type Match struct {
	Entry adapters.HistoryEntry `json:"entry"`
	Act   *Act                  `json:"act"`
}

// Skew is how far the application's clock is ahead of ours, estimated from
// the distance that most of the pairs of entry and request agree on.
type Skew struct {
	Ahead   time.Duration `json:"ahead_ns"`
	Spread  time.Duration `json:"spread_ns"` // median absolute deviation
	Samples int           `json:"samples"`   // below three, Ahead is taken to be 0
}

// Reconciliation sets the application's history beside the record.
type Reconciliation struct {
	Adapter         string                  `json:"adapter"`
	Period          Period                  `json:"period"`
	Skew            Skew                    `json:"skew"`
	Tolerance       time.Duration           `json:"tolerance_ns"` // within which times count as the same
	Matched         []Match                 `json:"matched"`
	RecordOnly      []*Act                  `json:"record_only"`      // requests that changed nothing, or whose entry is missing
	ApplicationOnly []adapters.HistoryEntry `json:"application_only"` // somebody used the account outside Byline
	Others          int                     `json:"others"`           // entries of users that are no accounts of ours
}

// Margin is how much of an application's history is needed before and after a
// period: its clock may be so far from ours.
const Margin = maxSkew

// The clocks may be this far apart before the estimate.
const maxSkew = 10 * time.Minute

// unknownEnd is how long a request may have taken whose outcome is not on record.
const unknownEnd = time.Minute

// Reconcile joins entries with the record by account, time, action and
// resource. users maps accounts to their user names at the application; an
// account that is not in it goes by its own name.
func Reconcile(records Records, p Period, a *adapters.Adapter, users map[string]string, entries []adapters.HistoryEntry) (*Reconciliation, error) {
	j := &join{out: &Reconciliation{Adapter: a.Name(), Period: p, Matched: []Match{}, RecordOnly: []*Act{}, ApplicationOnly: []adapters.HistoryEntry{}},
		logged: map[string]bool{}, acts: map[string][]*Act{}, users: users, ours: map[string]bool{}}
	for _, k := range a.History().Kinds {
		for _, action := range k.Actions {
			j.logged[action] = true
		}
	}
	for _, user := range users {
		j.ours[plain(user)] = true
	}
	if err := j.read(records, a.Name()); err != nil {
		return nil, err
	}
	own := entries[:0:0]
	for _, e := range entries {
		if j.ours[plain(e.User)] {
			own = append(own, e)
		} else if p.Holds(e.Time) {
			j.out.Others++
		}
	}
	slices.SortStableFunc(own, func(x, y adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })
	j.estimate(own)
	j.match(own, p)
	j.leftOver(p)
	return j.out, nil
}

// join is a reconciliation under way.
type join struct {
	out    *Reconciliation
	logged map[string]bool   // actions that leave an entry
	users  map[string]string // account → user
	ours   map[string]bool   // user names of ours
	acts   map[string][]*Act // by user and action
	all    []*Act
}

// read collects the requests that may have caused an entry.
func (j *join) read(records Records, adapter string) error {
	open := map[string]*Act{} // by intent
	for r, err := range records {
		if err != nil {
			return err
		}
		if r.Adapter != adapter {
			continue
		}
		switch r.Kind {
		case "intent":
			user := j.users[r.Account]
			if user == "" {
				user = r.Account
			}
			j.ours[plain(user)] = true
			if !j.logged[r.Action] {
				continue
			}
			act := &Act{Record: r.ID, Task: r.Task, Agent: r.Agent, Sponsor: r.Sponsor, Grant: r.Grant, Account: r.Account,
				Action: r.Action, Resource: r.Resource, Method: r.Method, Began: r.Time, Ended: r.Time.Add(unknownEnd), user: plain(user)}
			open[r.ID] = act
			j.all = append(j.all, act)
			key := act.user + "\x00" + act.Action
			j.acts[key] = append(j.acts[key], act)
		case "outcome":
			if act := open[r.Intent]; act != nil {
				act.Ended, act.Status = r.Time, r.Status
				delete(open, r.Intent)
			}
		}
	}
	return nil
}

// candidates are the requests that an entry may come from when the clocks are
// ahead and within of each other.
func (j *join) candidates(e *adapters.HistoryEntry, ahead, within time.Duration) (found []*Act) {
	at := e.Time.Add(-ahead)
	for _, action := range e.Actions {
		all := j.acts[plain(e.User)+"\x00"+action] // in the order of Began
		from, _ := slices.BinarySearchFunc(all, at.Add(within), func(a *Act, t time.Time) int { return a.Began.Compare(t) })
		for i := from - 1; i >= 0 && at.Sub(all[i].Began) < maxSkew+within+time.Hour; i-- {
			if a := all[i]; !at.After(a.Ended.Add(within)) && sameResource(e, a.Resource) {
				found = append(found, a)
			}
		}
	}
	return found
}

// estimate takes the distance between entries and requests that most pairs
// agree on: each entry has one true request, and the false ones scatter.
func (j *join) estimate(entries []adapters.HistoryEntry) {
	var all []time.Duration
	for i := range entries {
		for _, act := range j.candidates(&entries[i], 0, maxSkew) {
			if changes(act) {
				all = append(all, entries[i].Time.Sub(act.Began.Add(act.Ended.Sub(act.Began)/2)))
			}
		}
	}
	slices.Sort(all)
	agreed := densest(all, 4*time.Second)
	s := &j.out.Skew
	s.Samples = len(agreed)
	if len(agreed) < 3 {
		j.out.Tolerance = 30 * time.Second
		return
	}
	s.Ahead = agreed[len(agreed)/2]
	off := make([]time.Duration, len(agreed))
	for i, d := range agreed {
		off[i] = (d - s.Ahead).Abs()
	}
	slices.Sort(off)
	s.Spread = off[len(off)/2]
	// Applications write whole seconds, and act somewhere between request and answer.
	j.out.Tolerance = max(3*time.Second, 4*s.Spread)
}

// densest is the longest run of a sorted list that lies within a width.
func densest(sorted []time.Duration, width time.Duration) (best []time.Duration) {
	from := 0
	for to := range sorted {
		for sorted[to]-sorted[from] > width {
			from++
		}
		if to+1-from > len(best) {
			best = sorted[from : to+1]
		}
	}
	return best
}

// match gives each entry, in order of time, the request that ends first among
// those it may come from: that leaves most to the entries that follow. Entries
// that share a request with others choose last, for they take nothing from
// anybody.
//
// Entries from around the period take part, so that clocks and whole seconds
// hide nothing at its ends; what is reported lies in it by our clock.
func (j *join) match(entries []adapters.HistoryEntry, p Period) {
	slices.SortStableFunc(entries, func(x, y adapters.HistoryEntry) int {
		switch {
		case x.Many == y.Many:
			return 0
		case y.Many:
			return -1
		}
		return 1
	})
	for i := range entries {
		e := &entries[i]
		found := j.candidates(e, j.out.Skew.Ahead, j.out.Tolerance)
		best := choose(found, func(a *Act) bool { return !a.matched })
		if best == nil && e.Many {
			best = choose(found, func(*Act) bool { return true })
		}
		switch {
		case best == nil && p.Holds(e.Time.Add(-j.out.Skew.Ahead)):
			j.out.ApplicationOnly = append(j.out.ApplicationOnly, *e)
		case best != nil:
			best.matched = true
			if p.Holds(best.Began) {
				j.out.Matched = append(j.out.Matched, Match{Entry: *e, Act: best})
			}
		}
	}
	slices.SortStableFunc(j.out.Matched, func(x, y Match) int { return x.Entry.Time.Compare(y.Entry.Time) })
	slices.SortStableFunc(j.out.ApplicationOnly, func(x, y adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })
}

// choose prefers requests that can have changed something, then those that
// end first.
func choose(found []*Act, fits func(*Act) bool) (best *Act) {
	rank := func(a *Act) int64 {
		n := a.Ended.UnixMicro()
		if !changes(a) {
			n += math.MaxInt64 / 2
		}
		return n
	}
	for _, a := range found {
		if fits(a) && (best == nil || rank(a) < rank(best)) {
			best = a
		}
	}
	return best
}

// changes says that a request can have changed something: neither a safe method
// nor refused by the application.
func changes(a *Act) bool {
	return a.Method != "GET" && a.Method != "HEAD" && a.Method != "OPTIONS" && a.Status < 400
}

func (j *join) leftOver(p Period) {
	for _, a := range j.all {
		if !a.matched && changes(a) && p.Holds(a.Began) {
			j.out.RecordOnly = append(j.out.RecordOnly, a)
		}
	}
	slices.SortStableFunc(j.out.RecordOnly, func(x, y *Act) int { return cmp.Compare(x.Began.UnixMicro(), y.Began.UnixMicro()) })
}

// plain is a name as applications compare names: without case, _ being a space.
func plain(s string) string {
	return strings.ToLower(strings.TrimSpace(strings.ReplaceAll(s, "_", " ")))
}

// sameResource: an entry that names none may be about any.
func sameResource(e *adapters.HistoryEntry, act string) bool {
	return e.Resource == "" || plain(e.Resource) == plain(act) ||
		slices.ContainsFunc(e.Also, func(other string) bool { return plain(other) == plain(act) })
}
