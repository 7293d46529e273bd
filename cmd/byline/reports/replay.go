package reports

import (
	"cmp"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Change is a decision that other policies would make differently, for all recorded
// requests that it concerns.
type Change struct {
	Agent    string   `json:"agent"`
	Sponsor  string   `json:"sponsor"`
	Adapter  string   `json:"adapter"`
	Action   string   `json:"action"`
	Resource string   `json:"resource"`
	Was      string   `json:"was"`      // permit or deny
	Would    string   `json:"would"`    // permit or deny
	Policies []string `json:"policies"` // that would decide
	Times    int      `json:"times"`
	Record   string   `json:"record"` // id of the first request's record
}

// Replayed is the result of [Replay].
type Replayed struct {
	Period   Period   `json:"period"`
	Requests int      `json:"requests"` // decided again
	Skipped  int      `json:"skipped"`  // without an action or a recorded scope
	Changes  []Change `json:"changes"`  // the most frequent first
}

// Replay decides the requests of the period again under candidate policies, each with the
// recorded scope of its task and at the time it was made.
func Replay(records Records, p Period, candidate *policy.Set) (*Replayed, error) {
	result := &Replayed{Period: p, Changes: []Change{}}
	grants := recentGrants{}
	changes := map[string]*Change{} // by what they have in common

	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if p.IsOver(r.Time) {
			break
		}

		switch event := audit.TaskEventOf(r.Kind, r.Code); {
		case event == audit.TaskEnds:
			grants.end(r.Task)
		case r.Kind == "task" && len(r.Scope) > 0:
			grants.add(r.Task, candidate.Narrow(subjectOf(&r), parseScope(r.Scope)))
		}
		if r.Kind != "intent" && r.Kind != "refusal" || !p.Contains(r.Time) {
			continue
		}
		grant := grants.byTask[r.Task]
		if grant == nil || r.Action == "" || r.Code == "login_by_agent" {
			result.Skipped++
			continue
		}

		result.Requests++
		d := grant.Decide(requestOf(&r))
		if d.Effect.String() != r.Decision.Effect {
			countChange(changes, &r, d)
		}
	}

	for _, c := range changes {
		result.Changes = append(result.Changes, *c)
	}
	slices.SortFunc(result.Changes, func(a, b Change) int {
		return cmp.Or(
			b.Times-a.Times,
			cmp.Compare(a.Adapter+a.Action+a.Resource, b.Adapter+b.Action+b.Resource),
			cmp.Compare(a.Agent, b.Agent),
			cmp.Compare(a.Record, b.Record))
	})
	return result, nil
}

// keptGrants is of how many ended tasks [recentGrants] keeps the grant: records of
// requests that were in flight follow the end of their task.
const keptGrants = 1000

// recentGrants holds the grants of the tasks that live at a place of the record, and of
// those that ended shortly before. The zero value has none.
type recentGrants struct {
	byTask map[string]*policy.Grant
	ended  []string // the oldest first
}

func (g *recentGrants) add(task string, grant *policy.Grant) {
	if g.byTask == nil {
		g.byTask = map[string]*policy.Grant{}
	}
	g.byTask[task] = grant
}

// end notes that the task has ended.
func (g *recentGrants) end(task string) {
	g.ended = append(g.ended, task)
	if len(g.ended) > keptGrants {
		delete(g.byTask, g.ended[0])
		g.ended = g.ended[1:]
	}
}

// countChange counts a request whose decision would be d.
func countChange(changes map[string]*Change, r *audit.Record, d policy.Decision) {
	key := strings.Join([]string{r.Agent, r.Sponsor, r.Adapter, r.Action, r.Resource, r.Decision.Effect, strings.Join(d.Policies, " ")}, "\x00")
	if known := changes[key]; known != nil {
		known.Times++
		return
	}

	changes[key] = &Change{
		Agent:    r.Agent,
		Sponsor:  r.Sponsor,
		Adapter:  r.Adapter,
		Action:   r.Action,
		Resource: r.Resource,
		Was:      r.Decision.Effect,
		Would:    d.Effect.String(),
		Policies: d.Policies,
		Times:    1,
		Record:   r.ID,
	}
}

func subjectOf(r *audit.Record) policy.Subject {
	return policy.Subject{Agent: r.Agent, Sponsor: r.Sponsor, Task: r.Task, Grant: r.Grant, Purpose: r.Purpose}
}
