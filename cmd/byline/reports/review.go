package reports

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Review is a least-privilege review: for each sponsor, agent and adapter, what
// was approved beside what was used.
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
	Requests   int      `json:"requests"`   // permitted, in the period
	Used       []Use    `json:"used"`       // by action
	Unused     []string `json:"unused"`     // approved in the period, never used: ADAPTER:ACTION[@RESOURCE]
	Refused    []Use    `json:"refused"`    // attempts, by action and code
	Privileged int      `json:"privileged"` // requests with a privileged action
	Accounts   []Held   `json:"accounts"`   // how long accounts were checked out
	Approved   []string `json:"approved"`   // scope lines of the tasks
	Suggested  []string `json:"suggested"`  // the smallest scope that permits all that was used
	Check      Check    `json:"check"`      // Suggested, tried on every permitted request
	tasks      map[string]bool
	used       map[string]*use
	refused    map[[2]string]int
	requests   []policy.Request
	held       map[string]*Held
}

// Use is one action with how often and on what.
type Use struct {
	Action     string   `json:"action"`
	Privileged bool     `json:"privileged,omitempty"`
	Resources  []string `json:"resources,omitempty"` // as a scope would name them
	Code       string   `json:"code,omitempty"`      // of a refusal
	Times      int      `json:"times"`
}

// Held is how long an account was checked out.
type Held struct {
	Account string        `json:"account"`
	Leases  int           `json:"leases"`
	Held    time.Duration `json:"held_ns"`
	Open    int           `json:"open"` // leases that had not ended by the period's end; counted until then
	since   map[string]time.Time
}

// Check is a scope tried on the requests that were permitted.
type Check struct {
	Requests int `json:"requests"`
	Refused  int `json:"refused"`
}

type use struct {
	privileged bool
	times      int
	resources  map[string]bool
}

// tooMany resources are not listed one by one in a suggested scope.
const tooMany = 20

// MakeReview reads the record. To of the period, when zero, is the last
// record's time.
func MakeReview(records Records, p Period) (*Review, error) {
	b := &builder{period: p, groups: map[[3]string]*Group{}, scopes: map[string][]string{}, last: p.From}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if !p.To.IsZero() && !r.Time.Before(p.To) {
			break
		}
		b.last = r.Time
		b.take(&r)
	}
	if p.To.IsZero() {
		p.To = b.last
	}
	review := &Review{Period: p, Groups: []*Group{}}
	for _, g := range b.groups {
		if g.finish(p.To); g.Tasks > 0 {
			review.Groups = append(review.Groups, g)
		}
	}
	slices.SortFunc(review.Groups, func(x, y *Group) int {
		return cmp.Or(cmp.Compare(x.Sponsor, y.Sponsor), cmp.Compare(x.Agent, y.Agent), cmp.Compare(x.Adapter, y.Adapter))
	})
	return review, nil
}

type builder struct {
	period Period
	groups map[[3]string]*Group
	scopes map[string][]string // of tasks that have not ended, by id
	last   time.Time
}

func (b *builder) take(r *audit.Record) {
	if r.Kind == "task" && r.Task != "" {
		b.task(r)
		return
	}
	if r.Adapter == "" || r.Sponsor == "" {
		return
	}
	g := b.group(r, r.Adapter)
	switch r.Kind {
	case "lease":
		g.lease(r, b.period)
	case "intent":
		if b.period.Holds(r.Time) {
			g.permit(r)
		}
	case "refusal":
		if b.period.Holds(r.Time) {
			g.refused[[2]string{r.Action, r.Code}]++
			g.sawTask(r.Task)
		}
	}
}

// task: a beginning has the scope with it. A task that was approved before the
// period and had not ended is part of it.
func (b *builder) task(r *audit.Record) {
	if len(r.Scope) == 0 {
		delete(b.scopes, r.Task)
		return
	}
	b.scopes[r.Task] = r.Scope
	for _, line := range r.Scope {
		adapter, _, _ := strings.Cut(line, ":")
		g := b.group(r, adapter)
		add(&g.Approved, line)
		if b.period.Holds(r.Time) {
			g.sawTask(r.Task)
		}
	}
}

func (b *builder) group(r *audit.Record, adapter string) *Group {
	key := [3]string{r.Sponsor, r.Agent, adapter}
	g := b.groups[key]
	if g == nil {
		g = &Group{Sponsor: r.Sponsor, Agent: r.Agent, Adapter: adapter, tasks: map[string]bool{}, used: map[string]*use{},
			refused: map[[2]string]int{}, held: map[string]*Held{}}
		b.groups[key] = g
	}
	return g
}

func (g *Group) sawTask(id string) {
	if !g.tasks[id] {
		g.tasks[id] = true
		g.Tasks++
	}
}

func (g *Group) permit(r *audit.Record) {
	g.sawTask(r.Task)
	g.Requests++
	if r.Privileged {
		g.Privileged++
	}
	u := g.used[r.Action]
	if u == nil {
		u = &use{privileged: r.Privileged, resources: map[string]bool{}}
		g.used[r.Action] = u
	}
	u.times++
	if !u.resources[r.Resource] {
		u.resources[r.Resource] = true
		g.requests = append(g.requests, RequestOf(r))
	}
}

func (g *Group) lease(r *audit.Record, p Period) {
	h := g.held[r.Account]
	if h == nil {
		h = &Held{Account: r.Account, since: map[string]time.Time{}}
		g.held[r.Account] = h
	}
	since, open := h.since[r.Lease]
	switch {
	case !open:
		h.since[r.Lease] = r.Time
	case r.Detail == "checked in":
		delete(h.since, r.Lease)
		if r.Time.After(p.From) {
			h.Leases++
			h.Held += r.Time.Sub(later(since, p.From))
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// finish turns counts into lists.
func (g *Group) finish(end time.Time) {
	for _, action := range slices.Sorted(maps.Keys(g.used)) {
		u := g.used[action]
		resources := narrow(u.resources)
		g.Used = append(g.Used, Use{Action: action, Privileged: u.privileged, Resources: resources, Times: u.times})
		g.Suggested = append(g.Suggested, lines(g.Adapter, action, resources)...)
	}
	for key, n := range g.refused {
		g.Refused = append(g.Refused, Use{Action: key[0], Code: key[1], Times: n})
	}
	slices.SortFunc(g.Refused, func(a, b Use) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Action, b.Action), cmp.Compare(a.Code, b.Code))
	})
	for _, line := range g.Approved {
		g.Unused = append(g.Unused, g.neverUsed(line)...)
	}
	for _, account := range slices.Sorted(maps.Keys(g.held)) {
		h := g.held[account]
		for _, since := range h.since {
			h.Leases++
			h.Open++
			h.Held += end.Sub(since)
		}
		g.Accounts = append(g.Accounts, *h)
	}
	g.Check = g.check(g.Suggested)
}

// neverUsed are the parts of one approved line that no request needed.
func (g *Group) neverUsed(line string) (unused []string) {
	entry, err := ParseScopeLine(line)
	if err != nil {
		return nil
	}
	for _, action := range entry.Actions {
		part := policy.ScopeEntry{Adapter: entry.Adapter, Actions: []string{action}, Resources: entry.Resources}
		grant := grantOf(part)
		if !slices.ContainsFunc(g.requests, func(q policy.Request) bool { return grant.Decide(q).Effect == policy.Permit }) {
			unused = append(unused, lines(entry.Adapter, action, entry.Resources)...)
		}
	}
	return unused
}

// check replays every distinct permitted request against a scope.
func (g *Group) check(scope []string) Check {
	var entries []policy.ScopeEntry
	for _, line := range scope {
		if e, err := ParseScopeLine(line); err == nil {
			entries = append(entries, e)
		}
	}
	grant := grantOf(entries...)
	c := Check{Requests: len(g.requests)}
	for _, q := range g.requests {
		if grant.Decide(q).Effect != policy.Permit {
			c.Refused++
		}
	}
	return c
}

// narrow names the resources that were used as few patterns as a person would
// read: each by itself, or what all of them begin with. nil: all resources.
func narrow(used map[string]bool) []string {
	all := slices.Sorted(maps.Keys(used))
	if used[""] {
		return nil // an action without a resource
	}
	if len(all) <= tooMany {
		return all
	}
	prefix := all[0]
	for _, r := range all[1:] {
		for !strings.HasPrefix(r, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	if prefix == "" {
		return nil
	}
	return []string{prefix + "*"}
}

func lines(adapter, action string, resources []string) (out []string) {
	if len(resources) == 0 {
		return []string{adapter + ":" + action}
	}
	for _, r := range resources {
		out = append(out, adapter+":"+action+"@"+r)
	}
	return out
}

// Only keeps one sponsor's groups; "" keeps all.
func (r *Review) Only(sponsor string) {
	if sponsor != "" {
		r.Groups = slices.DeleteFunc(r.Groups, func(g *Group) bool { return g.Sponsor != sponsor })
	}
}
