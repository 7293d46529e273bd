package reports

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
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

	user    string // of the account, normalized
	matched bool
}

// Match joins an entry of the application with the request that caused it.
type Match struct {
	Entry adapters.HistoryEntry `json:"entry"`
	Act   *Act                  `json:"act"`
}

// Skew says how far the application's clock is ahead of ours. It is estimated from the
// distance between entry and request on which most pairs agree.
type Skew struct {
	Ahead   time.Duration `json:"ahead_ns"`
	Spread  time.Duration `json:"spread_ns"` // median absolute deviation
	Samples int           `json:"samples"`   // below MinSkewSamples, Ahead is assumed to be 0
}

// Reconciliation compares the application's history with the record.
type Reconciliation struct {
	Adapter         string                  `json:"adapter"`
	Period          Period                  `json:"period"`
	Skew            Skew                    `json:"skew"`
	Tolerance       time.Duration           `json:"tolerance_ns"` // within which times count as the same
	Matched         []Match                 `json:"matched"`
	RecordOnly      []*Act                  `json:"record_only"`      // requests that changed nothing, or whose entry is missing
	ApplicationOnly []adapters.HistoryEntry `json:"application_only"` // somebody used the account outside Byline
	Others          int                     `json:"others"`           // entries of users that are not accounts of ours
}

// Margin is how much of an application's history is needed before and after a period,
// because its clock may differ from ours by this much.
const Margin = maxSkew

// MinSkewSamples is how many pairs it takes to estimate the skew.
const MinSkewSamples = 3

const (
	// maxSkew is how far apart the clocks may be.
	maxSkew = 10 * time.Minute

	// unknownEnd is how long a request may have taken whose outcome is not on record.
	unknownEnd = time.Minute
)

// Reconcile matches entries with the record by account, time, action and resource. users
// maps accounts to their user names at the application; an account that is not in it has
// its own name there. entries must reach from [Margin] before the period to Margin after
// it.
func Reconcile(records Records, p Period, a *adapters.Adapter, users map[string]string, entries []adapters.HistoryEntry) (*Reconciliation, error) {
	m := &matcher{
		result: &Reconciliation{
			Adapter:         a.Name(),
			Period:          p,
			Matched:         []Match{},
			RecordOnly:      []*Act{},
			ApplicationOnly: []adapters.HistoryEntry{},
		},
		logged: map[string]bool{},
		users:  users,
		ours:   map[string]bool{},
		acts:   map[actKey][]*Act{},
	}
	for _, k := range a.History().Kinds {
		for _, action := range k.Actions {
			m.logged[action] = true
		}
	}
	for _, user := range users {
		m.ours[normalizeName(user)] = true
	}
	if err := m.readRecords(records, a.Name()); err != nil {
		return nil, err
	}

	var own []adapters.HistoryEntry
	for _, e := range entries {
		switch {
		case m.ours[normalizeName(e.User)]:
			own = append(own, e)
		case p.Contains(e.Time):
			m.result.Others++
		}
	}
	slices.SortStableFunc(own, func(x, y adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })

	m.estimateSkew(own)
	m.match(own)
	m.listUnmatchedActs()
	return m.result, nil
}

// actKey is what an entry and its request always have in common.
type actKey struct{ user, action string }

// matcher is a reconciliation that is being made.
type matcher struct {
	result *Reconciliation
	logged map[string]bool   // actions that leave an entry
	users  map[string]string // user names by account
	ours   map[string]bool   // normalized user names of our accounts
	acts   map[actKey][]*Act // in the order of Began
	all    []*Act
}

// readRecords collects the requests that may have caused an entry.
func (m *matcher) readRecords(records Records, adapter string) error {
	open := map[string]*Act{} // by id of the intent
	for r, err := range records {
		if err != nil {
			return err
		}
		if r.Adapter != adapter {
			continue
		}

		switch r.Kind {
		case "intent":
			user := normalizeName(cmp.Or(m.users[r.Account], r.Account))
			m.ours[user] = true
			if !m.logged[r.Action] {
				continue
			}
			act := actOf(&r, user)
			open[r.ID] = act
			m.all = append(m.all, act)
			key := actKey{user, r.Action}
			m.acts[key] = append(m.acts[key], act)

		case "outcome":
			if act := open[r.Intent]; act != nil {
				act.Ended = endOf(act, &r)
				act.Status = r.Status
				delete(open, r.Intent)
			}
		}
	}

	for _, acts := range m.acts { // in the order of the log, which differs after the clock went back
		slices.SortStableFunc(acts, func(x, y *Act) int { return x.Began.Compare(y.Began) })
	}
	return nil
}

// endOf returns when the request ended, by the clock by which it began: the clock may
// have gone back in between.
func endOf(act *Act, outcome *audit.Record) time.Time {
	if outcome.At().Before(act.Began) {
		return act.Began.Add(time.Duration(outcome.DurationUS) * time.Microsecond)
	}
	return outcome.At()
}

func actOf(r *audit.Record, user string) *Act {
	return &Act{
		Record:   r.ID,
		Task:     r.Task,
		Agent:    r.Agent,
		Sponsor:  r.Sponsor,
		Grant:    r.Grant,
		Account:  r.Account,
		Action:   r.Action,
		Resource: r.Resource,
		Method:   r.Method,
		Began:    r.At(),
		Ended:    r.At().Add(unknownEnd),
		user:     user,
	}
}

// mayHaveChanged reports whether the request can have changed something: its method is
// not a safe one, and the application did not refuse it.
func (a *Act) mayHaveChanged() bool {
	return a.Method != "GET" && a.Method != "HEAD" && a.Method != "OPTIONS" && a.Status < 400
}

// listUnmatchedActs lists the requests of the period that should have left an entry.
func (m *matcher) listUnmatchedActs() {
	for _, a := range m.all {
		if !a.matched && a.mayHaveChanged() && m.result.Period.Contains(a.Began) {
			m.result.RecordOnly = append(m.result.RecordOnly, a)
		}
	}
	slices.SortStableFunc(m.result.RecordOnly, func(x, y *Act) int { return x.Began.Compare(y.Began) })
}

// normalizeName returns a name as applications compare names: without case, and with
// spaces for underscores.
func normalizeName(s string) string {
	return strings.ToLower(strings.TrimSpace(strings.ReplaceAll(s, "_", " ")))
}
