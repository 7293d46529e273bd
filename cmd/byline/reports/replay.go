package reports

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Change is a decision that other policies would make otherwise, over all the
// recorded requests that it concerns.
type Change struct {
	Agent    string   `json:"agent"`
	Sponsor  string   `json:"sponsor"`
	Adapter  string   `json:"adapter"`
	Action   string   `json:"action"`
	Resource string   `json:"resource"`
	Was      string   `json:"was"`
	Would    string   `json:"would"`
	Policies []string `json:"policies"` // that would decide
	Times    int      `json:"times"`
	Record   string   `json:"record"` // the first of them
}

// Replayed is what a replay saw.
type Replayed struct {
	Period   Period   `json:"period"`
	Requests int      `json:"requests"` // decided again
	Skipped  int      `json:"skipped"`  // without an action or a recorded scope
	Changes  []Change `json:"changes"`
}

// Replay decides the requests of the period again under candidate policies:
// each with its own task's recorded scope, at its own time.
func Replay(records Records, p Period, candidate *policy.Set) (*Replayed, error) {
	out := &Replayed{Period: p, Changes: []Change{}}
	grants := map[string]*policy.Grant{} // by task
	changes := map[string]*Change{}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if !p.To.IsZero() && !r.Time.Before(p.To) {
			break
		}
		if r.Kind == "task" && len(r.Scope) > 0 {
			grants[r.Task] = candidate.Narrow(subjectOf(&r), entriesOf(r.Scope))
		}
		if r.Kind != "intent" && r.Kind != "refusal" || !p.Holds(r.Time) {
			continue
		}
		grant := grants[r.Task]
		if grant == nil || r.Action == "" || r.Code == "login_by_agent" {
			out.Skipped++
			continue
		}
		out.Requests++
		d := grant.Decide(RequestOf(&r))
		if d.Effect.String() == r.Decision.Effect {
			continue
		}
		c := Change{Agent: r.Agent, Sponsor: r.Sponsor, Adapter: r.Adapter, Action: r.Action, Resource: r.Resource,
			Was: r.Decision.Effect, Would: d.Effect.String(), Policies: d.Policies, Times: 1, Record: r.ID}
		key := strings.Join([]string{c.Agent, c.Sponsor, c.Adapter, c.Action, c.Resource, c.Was, strings.Join(c.Policies, " ")}, "\x00")
		if known := changes[key]; known != nil {
			known.Times++
			continue
		}
		changes[key] = &c
	}
	for _, c := range changes {
		out.Changes = append(out.Changes, *c)
	}
	slices.SortFunc(out.Changes, func(a, b Change) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Adapter+a.Action+a.Resource, b.Adapter+b.Action+b.Resource), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Record, b.Record))
	})
	return out, nil
}

// RequestOf is the request of an intent or a refusal, as policy saw it.
func RequestOf(r *audit.Record) policy.Request {
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return policy.Request{Adapter: r.Adapter, Action: r.Action, Resource: r.Resource, Privileged: r.Privileged,
		Method: r.Method, Host: host, Path: r.Path, Now: r.Time}
}

func subjectOf(r *audit.Record) policy.Subject {
	return policy.Subject{Agent: r.Agent, Sponsor: r.Sponsor, Task: r.Task, Grant: r.Grant, Purpose: r.Purpose}
}

// ParseScopeLine reads one line of a recorded scope.
func ParseScopeLine(line string) (e policy.ScopeEntry, err error) {
	adapter, rest, ok := strings.Cut(line, ":")
	actions, resource, limited := strings.Cut(rest, "@")
	if !ok || adapter == "" || actions == "" {
		return e, fmt.Errorf("scope %q: %w", line, errors.New("not ADAPTER:ACTION[@RESOURCE]"))
	}
	e = policy.ScopeEntry{Adapter: adapter, Actions: strings.Split(actions, ",")}
	if limited {
		e.Resources = []string{resource}
	}
	return e, nil
}

// entriesOf leaves out what is no scope line: it grants nothing.
func entriesOf(scope []string) (all []policy.ScopeEntry) {
	for _, line := range scope {
		if e, err := ParseScopeLine(line); err == nil {
			all = append(all, e)
		}
	}
	return all
}

// grantOf is a scope under the built-in policy alone.
func grantOf(scope ...policy.ScopeEntry) *policy.Grant {
	set, err := policy.Parse(nil, nil)
	if err != nil {
		return nil // denies
	}
	return set.Narrow(policy.Subject{Agent: "agent", Sponsor: "sponsor", Task: "task"}, scope)
}
