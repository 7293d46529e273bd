package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Grant is what one task may do under one set of policies. It is safe for
// concurrent use and never changes. The zero Grant and the nil Grant deny.
type Grant struct {
	set       *Set
	scope     []ScopeEntry
	principal types.Entity
	agent     types.Value
	sponsor   types.Value
	allows    string
	plans     atomic.Pointer[map[key]*plan] // what was worked out so far; replaced, never edited
}

type key struct{ adapter, action string }

// Most actions that a grant keeps plans for; adapters name far fewer.
const maxPlans = 512

// Narrow makes the grant of a task. The caller must not change the scope
// afterwards. A zero Set or an incomplete subject gets a grant that denies.
func (s *Set) Narrow(t Subject, scope []ScopeEntry) *Grant {
	if s == nil || len(s.rules) == 0 || t.Agent == "" || t.Sponsor == "" || t.Task == "" {
		return &Grant{allows: "nothing"}
	}
	g := &Grant{set: s, scope: scope, allows: describe(scope), agent: types.String(t.Agent), sponsor: types.String(t.Sponsor)}
	g.principal = types.Entity{
		UID: types.NewEntityUID(typeAgent, types.String(t.Agent)),
		Parents: types.NewEntityUIDSet(
			types.NewEntityUID(typeSponsor, types.String(t.Sponsor)),
			types.NewEntityUID(typeTask, types.String(t.Task))),
		Attributes: types.NewRecord(types.RecordMap{
			"agent": g.agent, "sponsor": g.sponsor, "task": types.String(t.Task),
			"purpose": types.String(t.Purpose), "grant": types.String(t.Grant),
		}),
	}
	return g
}

// Allows says what the scope allows, for a refusal that an agent reads:
// "mediawiki: page.read, page.edit on page/Sandbox*".
func (g *Grant) Allows() string {
	if g == nil {
		return "nothing"
	}
	return cmp.Or(g.allows, "nothing")
}

func describe(scope []ScopeEntry) string {
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

// plan is all that one action of one adapter can meet in a task.
type plan struct {
	action    types.Entity
	adapter   types.EntityUIDSet // of the adapter alone
	all       entries            // what permits, then what forbids
	permitIDs []string           // of those that permit
	keys      []string           // of the context, that its policies read
	fleeting  bool               // among them are some that differ with every request
	moment    atomic.Pointer[moment]
	place     atomic.Pointer[types.Entity] // the resource that was looked at last
	permits   [recalled]atomic.Pointer[permitted]
}

// plan is kept after the first request for the action.
func (g *Grant) plan(adapter, action string) *plan {
	known := g.plans.Load()
	if known != nil {
		if p := (*known)[key{adapter, action}]; p != nil {
			return p
		}
	}
	p := g.work(adapter, action)
	next := map[key]*plan{}
	if known != nil && len(*known) < maxPlans {
		for k, v := range *known {
			next[k] = v
		}
	}
	next[key{adapter, action}] = p
	g.plans.CompareAndSwap(known, &next) // who loses works it out again next time
	return p
}

func (g *Grant) work(adapter, action string) *plan {
	groups := groupsOf(adapter, action)
	id := types.NewEntityUID(typeAction, types.String(adapter+":"+action))
	p := &plan{adapter: types.NewEntityUIDSet(types.NewEntityUID(typeAdapter, types.String(adapter)))}
	parents := make([]types.EntityUID, len(groups))
	for i, n := range groups {
		parents[i] = types.NewEntityUID(typeAction, types.String(n))
	}
	p.action = types.Entity{UID: id, Parents: types.NewEntityUIDSet(parents...)}
	for i, e := range g.scope {
		if tree := e.permit(adapter, action, g.principal.UID, id); tree != nil {
			p.all.add(fmt.Sprintf("scope[%d]", i), cedar.NewPolicyFromAST((*cedarTree)(tree)))
			p.keys = append(p.keys, keysOf(tree)...)
		}
	}
	for _, e := range p.all {
		p.permitIDs = append(p.permitIDs, string(e.id))
	}
	for _, n := range g.set.meeting(string(id.ID), groups) {
		if r := &g.set.rules[n]; r.about(g.principal, adapter) {
			p.all.add(r.id, r.policy)
			p.keys = append(p.keys, r.keys...)
		}
	}
	slices.Sort(p.keys)
	p.keys = slices.Compact(p.keys)
	p.fleeting = slices.Contains(p.keys, "path") || slices.Contains(p.keys, "now")
	return p
}

// permit is what a scope entry says about one action, nil when it is silent.
// base.cedar shows the two shapes.
func (e *ScopeEntry) permit(adapter, action string, principal, id types.EntityUID) *ast.Policy {
	exact := slices.Contains(e.Actions, action)
	if e.Adapter != adapter || !exact && !slices.ContainsFunc(e.Actions, func(p string) bool {
		return strings.Contains(p, "*") && pattern(p).Match(types.String(action))
	}) {
		return nil
	}
	p := ast.Permit().PrincipalEq(principal).ActionEq(id)
	if len(e.Resources) > 0 {
		name := ast.Resource().Access("name")
		any := name.Like(pattern(e.Resources[0]))
		for _, r := range e.Resources[1:] {
			any = any.Or(name.Like(pattern(r)))
		}
		p.When(any)
	}
	if !exact {
		p.Unless(ast.Context().Access("privileged"))
	}
	return p
}

// pattern is a name in which * stands for any characters, as Cedar's like has
// it; nothing else is special.
func pattern(s string) types.Pattern {
	var parts []any
	for i, literal := range strings.Split(s, "*") {
		if i > 0 {
			parts = append(parts, types.Wildcard{})
		}
		parts = append(parts, literal)
	}
	return types.NewPattern(parts...)
}
