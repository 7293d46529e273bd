package reports

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Review is a least-privilege review: for each sponsor, agent and adapter, what was
// approved and what was used.
type Review struct {
	Period Period   `json:"period"`
	Groups []*Group `json:"groups"`
}

// Group is what one sponsor's agent did at one adapter.
type Group struct {
	Sponsor string `json:"sponsor"`
	Agent   string `json:"agent"`
	Adapter string `json:"adapter"`

	Tasks      int      `json:"tasks"`
	Requests   int      `json:"requests"`         // permitted, in the period
	Used       []Use    `json:"used"`             // by action
	Unused     []string `json:"unused"`           // scope lines, one for each approved action that was never used
	Refused    []Use    `json:"refused"`          // attempts, by action and code
	Alerts     []Alert  `json:"alerts,omitempty"` // by code: sessions that outlived their logout, borrowed ones that were seen, and the like
	Privileged int      `json:"privileged"`       // requests with a privileged action
	Accounts   []Held   `json:"accounts"`         // how long accounts were checked out
	Approved   []string `json:"approved"`         // scope lines of the tasks
	Suggested  []string `json:"suggested"`        // the smallest scope that permits everything that was used
	Check      Check    `json:"check"`            // Suggested, tried on every permitted request

	tasks    map[string]bool
	used     map[string]*usage // by action
	refused  map[[3]string]int // by action, code and what a browser asks for without being told to
	alerts   map[string]int    // by code
	requests []policy.Request  // permitted; one for each action and resource
	held     map[string]*Held  // by account
}

// Use says how often an action was used, and on what.
type Use struct {
	Action     string   `json:"action"`
	Privileged bool     `json:"privileged,omitempty"`
	Resources  []string `json:"resources,omitempty"` // as a scope would name them
	Code       string   `json:"code,omitempty"`      // of a refusal
	Browser    string   `json:"browser,omitempty"`   // of a refusal: what a browser asks for without being told to; see BrowserCall
	Times      int      `json:"times"`
}

// Alert says how often an alert was recorded.
type Alert struct {
	Code  string `json:"code"`
	Times int    `json:"times"`
}

// Held says how long an account was checked out.
type Held struct {
	Account string        `json:"account"`
	Leases  int           `json:"leases"`
	Held    time.Duration `json:"held_ns"`
	Open    int           `json:"open"` // leases that had not ended by the end of the period; counted until then

	since map[string]time.Time // start of each open lease, by its id
}

// Check is the result of trying a scope on requests.
type Check struct {
	Requests int `json:"requests"`
	Refused  int `json:"refused"`
}

// usage is a [Use] while it is counted.
type usage struct {
	privileged bool
	times      int
	resources  map[string]bool
}

// MakeReview reads the record. If the period has no end, it becomes the time of the last
// record.
func MakeReview(records Records, p Period) (*Review, error) {
	b := &reviewBuilder{period: p, groups: map[groupKey]*Group{}}
	last := p.From
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if p.IsOver(r.Time) {
			break
		}
		last = r.Time
		b.add(&r)
	}
	if p.To.IsZero() {
		p.To = last
	}

	review := &Review{Period: p, Groups: []*Group{}}
	for _, g := range b.groups {
		if g.Tasks > 0 {
			g.finish(p.To)
			review.Groups = append(review.Groups, g)
		}
	}
	slices.SortFunc(review.Groups, func(x, y *Group) int {
		return cmp.Or(
			cmp.Compare(x.Sponsor, y.Sponsor),
			cmp.Compare(x.Agent, y.Agent),
			cmp.Compare(x.Adapter, y.Adapter))
	})
	return review, nil
}

// Only keeps the groups of one sponsor; "" keeps all.
func (r *Review) Only(sponsor string) {
	if sponsor != "" {
		r.Groups = slices.DeleteFunc(r.Groups, func(g *Group) bool { return g.Sponsor != sponsor })
	}
}

// groupKey identifies a group.
type groupKey struct{ sponsor, agent, adapter string }

// reviewBuilder counts records into groups.
type reviewBuilder struct {
	period Period
	groups map[groupKey]*Group
}

func (b *reviewBuilder) add(r *audit.Record) {
	if r.Kind == "task" && r.Task != "" {
		b.addTask(r)
		return
	}
	if r.Adapter == "" || r.Sponsor == "" {
		return
	}

	g := b.group(r, r.Adapter)
	switch r.Kind {
	case "lease":
		g.addLease(r, b.period)
	case "intent":
		if b.period.Contains(r.Time) {
			g.addRequest(r)
		}
	case "alert":
		if b.period.Contains(r.Time) {
			g.alerts[r.Code]++
		}
	case "refusal":
		if b.period.Contains(r.Time) {
			g.refused[[3]string{r.Action, r.Code, BrowserCall(r)}]++
			g.addTask(r.Task)
		}
	}
}

// addTask adds what a task was approved for. The record of a task's beginning has the
// scope, that of its end has none. Lines that were approved before the period count as
// approved in it, too, if the group did anything in it.
func (b *reviewBuilder) addTask(r *audit.Record) {
	for _, line := range r.Scope {
		adapter, _, _ := strings.Cut(line, ":")
		g := b.group(r, adapter)
		AddToSet(&g.Approved, line)
		if b.period.Contains(r.Time) {
			g.addTask(r.Task)
		}
	}
}

// group returns the group of the record's sponsor and agent at the adapter.
func (b *reviewBuilder) group(r *audit.Record, adapter string) *Group {
	key := groupKey{r.Sponsor, r.Agent, adapter}
	g := b.groups[key]
	if g == nil {
		g = &Group{
			Sponsor: r.Sponsor,
			Agent:   r.Agent,
			Adapter: adapter,
			tasks:   map[string]bool{},
			used:    map[string]*usage{},
			refused: map[[3]string]int{},
			alerts:  map[string]int{},
			held:    map[string]*Held{},
		}
		b.groups[key] = g
	}
	return g
}
