package reports

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// Act is one recorded request, login or logout that should show in the application's
// history.
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

	failed    bool // the application refused it, so probably nothing changed
	sometimes bool // it often leaves no entry
	matched   bool
	taken     int    // entries of the kinds that are being matched
	from, to  int64  // Began and Ended by the application's clock, in microseconds
	number    int    // counts the acts
	epoch     int    // between which steps of our clock it was
	principal string // who the application takes it from
}

// Match joins an entry of the application with the request that caused it.
type Match struct {
	Entry *adapters.HistoryEntry `json:"entry"`
	Act   *Act                   `json:"act"`
}

// Skew says how far the application's clock is ahead of ours. It is estimated from the
// distance between entry and request on which most pairs agree.
type Skew struct {
	Ahead   time.Duration `json:"ahead_ns"`
	Spread  time.Duration `json:"spread_ns"` // median absolute deviation
	Samples int           `json:"samples"`   // below MinSkewSamples, Ahead is assumed to be 0
}

// The verdicts of a reconciliation.
const (
	VerdictClear   = "clear"   // the record explains every entry of the accounts
	VerdictOutside = "outside" // somebody used an account outside Byline
	VerdictDoubt   = "doubt"   // something keeps the comparison from saying either
)

// Finding is why a reconciliation is no all-clear.
type Finding struct {
	Code   string `json:"code"`
	What   string `json:"what"`
	Remedy string `json:"remedy"`
	Count  int    `json:"count,omitempty"`
}

// Reconciliation compares the application's history with the record.
type Reconciliation struct {
	Adapter         string                  `json:"adapter"`
	Verdict         string                  `json:"verdict"`
	Findings        []Finding               `json:"findings"` // empty if the verdict is clear
	Period          Period                  `json:"period"`
	Log             LogSummary              `json:"log"`
	Skew            Skew                    `json:"skew"`
	Clocks          []Skew                  `json:"clocks,omitempty"` // if ours was set back in between: one for each part
	Tolerance       time.Duration           `json:"tolerance_ns"`     // within which times count as the same
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

	// maxZone is how far off the times of a log are whose time zone is wrong.
	maxZone = 14*time.Hour + maxSkew

	// unknownEnd is how long a request may have taken whose outcome is not on record.
	unknownEnd = time.Minute
)

// Reconciler compares an application's history with the record, by account, time,
// action and resource. Its methods are called in the order of their declaration.
type Reconciler struct {
	adapter *adapters.Adapter
	reader  *adapters.HistoryReader
	result  *Reconciliation
	names   accountNames
	kinds   kindTable

	acts     []*Act
	index    map[actKey][]*Act // in the order of Began
	steps    []time.Duration   // how far our clock was set back, in order
	lastTime time.Time         // of the newest record
	spans    map[string][]span // when Byline may have asked for pages, by principal
	history  *History
	shared   sharedStrings // of the acts, while records are read
}

// NewReconciler returns a Reconciler for a period, which must have an end. accounts has
// the user names at the application of every account that is known; an account without
// any has its own name there.
func NewReconciler(a *adapters.Adapter, p Period, accounts map[string][]string) *Reconciler {
	log := a.History()
	r := &Reconciler{
		adapter: a,
		reader:  log.NewHistoryReader(p.To),
		result: &Reconciliation{
			Adapter:         a.Name(),
			Findings:        []Finding{},
			Period:          p,
			Matched:         []Match{},
			RecordOnly:      []*Act{},
			ApplicationOnly: []adapters.HistoryEntry{},
		},
		kinds: newKindTable(log.Kinds),
	}
	for _, account := range slices.Sorted(maps.Keys(accounts)) {
		r.names.add(account, accounts[account])
	}
	return r
}

// AddFinding adds a finding of the caller. Its error is what keeps the comparison from
// an all-clear.
func (r *Reconciler) AddFinding(code, what, remedy string) {
	r.find(Finding{Code: code, What: what, Remedy: remedy})
}

func (r *Reconciler) find(f Finding) { r.result.Findings = append(r.result.Findings, f) }

// Finish compares what was read. whole says that the application was asked for the whole
// period, so that its history cannot end too early. It may begin too late: applications
// forget.
func (r *Reconciler) Finish(whole bool) *Reconciliation {
	h := r.history
	slices.SortStableFunc(h.own, func(x, y *adapters.HistoryEntry) int { return x.Time.Compare(y.Time) })

	r.estimateClocks(h.own)
	r.match(h.own)
	r.listUnmatchedActs()

	r.result.Log = h.summary()
	r.result.Others = h.others
	r.judge(whole)
	return r.result
}

// listUnmatchedActs lists the requests of the period that should have left an entry.
func (r *Reconciler) listUnmatchedActs() {
	for _, a := range r.acts {
		if !a.matched && r.isExpected(a) && r.result.Period.Contains(a.Began) {
			r.result.RecordOnly = append(r.result.RecordOnly, a)
		}
	}
	slices.SortStableFunc(r.result.RecordOnly, func(x, y *Act) int { return x.Began.Compare(y.Began) })
}

// isExpected reports whether an act should have left an entry: it can have changed
// something, and the application did not refuse it.
func (r *Reconciler) isExpected(a *Act) bool { return !a.failed && !a.sometimes }

// actKey is what an entry and its request have in common. An entry that names no resource
// can be about any.
type actKey struct{ principal, action, resource string }

// keysOf returns the keys of the requests from which an entry may come.
func (r *Reconciler) keysOf(e *adapters.HistoryEntry) []actKey {
	principal := r.names.principal(e.User)
	resources := []string{""}
	if e.Resource != "" {
		resources[0] = normalizeName(e.Resource)
		for _, other := range e.Also {
			resources = append(resources, normalizeName(other))
		}
	}

	keys := make([]actKey, 0, len(e.Actions)*len(resources))
	for _, action := range e.Actions {
		if isOwnAction(action) {
			keys = append(keys, actKey{principal, action, ""})
			continue
		}
		for _, resource := range resources {
			keys = append(keys, actKey{principal, action, resource})
		}
	}
	return keys
}

// isOwnAction reports whether an action is Byline's own, which has no resource.
func isOwnAction(action string) bool {
	return action == adapters.ActionLogin || action == adapters.ActionLogout || action == adapters.ActionProbe
}

// kindTable says what the kinds of a log mean for the actions.
type kindTable struct {
	logged    map[string]bool // actions that leave an entry
	sometimes map[string]bool // those that often leave none
}

func newKindTable(kinds []adapters.HistoryKind) kindTable {
	t := kindTable{map[string]bool{}, map[string]bool{}}
	always := map[string]bool{}
	for _, k := range kinds {
		for _, action := range k.Actions {
			t.logged[action] = true
			if k.Sometimes {
				t.sometimes[action] = true
			} else {
				always[action] = true
			}
		}
	}
	for action := range always {
		delete(t.sometimes, action)
	}
	return t
}

// accountNames knows the accounts by their names at the application. The zero value has
// none.
type accountNames struct {
	accounts map[string]string // normalized name at the application → account
	owner    map[string]string // account → the account that it is one with at the application
	active   map[string]bool   // accounts that must be accounted for
}

// add adds an account with its names; without any it has its own. An account that shares
// a name with another one cannot be told from it.
func (n *accountNames) add(account string, names []string) {
	if n.accounts == nil {
		n.accounts, n.owner, n.active = map[string]string{}, map[string]string{}, map[string]bool{}
	}
	if _, known := n.owner[account]; known || account == "" {
		return
	}
	if len(names) == 0 {
		names = []string{account}
	}

	owner := account
	for _, name := range names {
		if other, taken := n.accounts[normalizeName(name)]; taken {
			owner = n.owner[other]
			break
		}
	}
	n.owner[account], n.active[owner] = owner, true
	for _, name := range names {
		n.accounts[normalizeName(name)] = owner
	}
}

// principal returns the account that has a name at the application, or "".
func (n *accountNames) principal(name string) string { return n.accounts[normalizeName(name)] }

// principalOf returns what the application knows an account as.
func (n *accountNames) principalOf(account string) string { return n.owner[account] }

// resembles returns the account whose name is a part of another name, such as agent-01 in
// corp\agent-01, or "".
func (n *accountNames) resembles(name string) string {
	name = normalizeName(name)
	for own, account := range n.accounts {
		for from := 0; own != "" && from <= len(name)-len(own); from++ {
			i := strings.Index(name[from:], own)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(own)
			if (start == 0 || !isWordByte(name[start-1])) && (end == len(name) || !isWordByte(name[end])) {
				return account
			}
			from = start
		}
	}
	return ""
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}

// normalizeName returns a name as applications compare names: without case, and with
// spaces for underscores.
func normalizeName(s string) string {
	return strings.ToLower(strings.TrimSpace(strings.ReplaceAll(s, "_", " ")))
}
