package policy

import (
	"cmp"
	"strings"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go/types"
)

// maxPlans bounds how many actions a grant keeps plans for. Adapters name far
// fewer.
const maxPlans = 512

// Grant is what one task may do under one set of policies. It never changes and
// may be used concurrently. The zero Grant and the nil Grant deny.
type Grant struct {
	set       *Set
	scope     []ScopeEntry
	principal types.Entity
	agent     types.Value
	sponsor   types.Value
	allows    string
	plans     atomic.Pointer[map[planKey]*plan] // the map is replaced, never changed
}

type planKey struct{ adapter, action string }

// Narrow returns the grant of a task. The caller must not change the scope
// afterwards. The grant of a zero Set or of an incomplete subject denies.
func (s *Set) Narrow(t Subject, scope []ScopeEntry) *Grant {
	if s == nil || len(s.rules) == 0 || t.Agent == "" || t.Sponsor == "" || t.Task == "" {
		return &Grant{allows: "nothing"}
	}

	g := &Grant{
		set:     s,
		scope:   scope,
		agent:   types.String(t.Agent),
		sponsor: types.String(t.Sponsor),
		allows:  describeScope(scope),
	}
	g.principal = types.Entity{
		UID: types.NewEntityUID(typeAgent, types.String(t.Agent)),
		Parents: types.NewEntityUIDSet(
			types.NewEntityUID(typeSponsor, types.String(t.Sponsor)),
			types.NewEntityUID(typeTask, types.String(t.Task)),
		),
		Attributes: types.NewRecord(types.RecordMap{
			"agent":   g.agent,
			"sponsor": g.sponsor,
			"task":    types.String(t.Task),
			"purpose": types.String(t.Purpose),
			"grant":   types.String(t.Grant),
		}),
	}
	return g
}

// Allows describes the scope for a refusal that an agent reads:
// "mediawiki: page.read, page.edit on page/Sandbox*".
func (g *Grant) Allows() string {
	if g == nil {
		return "nothing"
	}
	return cmp.Or(g.allows, "nothing")
}

func describeScope(scope []ScopeEntry) string {
	var parts []string
	for _, e := range scope {
		part := e.Adapter + ": " + strings.Join(e.Actions, ", ")
		if len(e.Resources) > 0 {
			part += " on " + strings.Join(e.Resources, ", ")
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// planFor returns the plan for an action, which it keeps after the first request.
func (g *Grant) planFor(adapter, action string) *plan {
	known := g.plans.Load()
	if known != nil {
		if p := (*known)[planKey{adapter, action}]; p != nil {
			return p
		}
	}

	p := g.newPlan(adapter, action)
	next := map[planKey]*plan{}
	if known != nil && len(*known) < maxPlans {
		for k, v := range *known {
			next[k] = v
		}
	}
	next[planKey{adapter, action}] = p

	// If another request was faster, the plan is made again at the next request.
	g.plans.CompareAndSwap(known, &next)
	return p
}
