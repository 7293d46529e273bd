package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go"
	publicast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// plan is everything that can decide about one action of one adapter in a task.
type plan struct {
	action      types.Entity
	adapter     types.EntityUIDSet // the adapter alone
	policies    policyList         // permits of the scope, then rules that can apply
	permitIDs   []string           // of the permits
	contextKeys []string           // that the policies read, sorted

	// volatile means that the policies read context that differs between almost
	// all requests, so nothing is cached.
	volatile bool

	permits      [cachedPermits]atomic.Pointer[cachedPermit]
	lastContext  atomic.Pointer[cachedContext]
	lastResource atomic.Pointer[types.Entity]
}

func (g *Grant) newPlan(adapter, action string) *plan {
	groups := groupsOf(adapter, action)
	parents := make([]types.EntityUID, len(groups))
	for i, group := range groups {
		parents[i] = types.NewEntityUID(typeAction, types.String(group))
	}
	id := types.NewEntityUID(typeAction, types.String(adapter+":"+action))
	p := &plan{
		action:  types.Entity{UID: id, Parents: types.NewEntityUIDSet(parents...)},
		adapter: types.NewEntityUIDSet(types.NewEntityUID(typeAdapter, types.String(adapter))),
	}

	for i, e := range g.scope {
		tree := e.permitFor(adapter, action, g.principal.UID, id)
		if tree == nil {
			continue
		}
		name := fmt.Sprintf("scope[%d]", i)
		p.policies.add(name, cedar.NewPolicyFromAST((*publicast.Policy)(tree)))
		p.permitIDs = append(p.permitIDs, name)
		p.contextKeys = append(p.contextKeys, contextKeysOf(tree)...)
	}
	for _, n := range g.set.rulesFor(string(id.ID), groups) {
		r := &g.set.rules[n]
		if r.canApply(g.principal, adapter) {
			p.policies.add(r.id, r.policy)
			p.contextKeys = append(p.contextKeys, r.contextKeys...)
		}
	}

	slices.Sort(p.contextKeys)
	p.contextKeys = slices.Compact(p.contextKeys)
	p.volatile = slices.Contains(p.contextKeys, "path") || slices.Contains(p.contextKeys, "now")
	return p
}

// permitFor returns the permit that a scope entry gives for an action, or nil.
// base.cedar shows its two forms.
func (e *ScopeEntry) permitFor(adapter, action string, principal, id types.EntityUID) *ast.Policy {
	if e.Adapter != adapter {
		return nil
	}
	isNamed := slices.Contains(e.Actions, action)
	matches := func(pattern string) bool {
		return strings.Contains(pattern, "*") && cedarPattern(pattern).Match(types.String(action))
	}
	if !isNamed && !slices.ContainsFunc(e.Actions, matches) {
		return nil
	}

	p := ast.Permit().PrincipalEq(principal).ActionEq(id)
	if len(e.Resources) > 0 {
		name := ast.Resource().Access("name")
		isApproved := name.Like(cedarPattern(e.Resources[0]))
		for _, r := range e.Resources[1:] {
			isApproved = isApproved.Or(name.Like(cedarPattern(r)))
		}
		p.When(isApproved)
	}
	if !isNamed {
		p.Unless(ast.Context().Access("privileged"))
	}
	return p
}

// cedarPattern returns the pattern of Cedar's like for a name in which * stands
// for any characters. Nothing else in the name is special.
func cedarPattern(name string) types.Pattern {
	var parts []any
	for i, literal := range strings.Split(name, "*") {
		if i > 0 {
			parts = append(parts, types.Wildcard{})
		}
		parts = append(parts, literal)
	}
	return types.NewPattern(parts...)
}

// policyList holds policies in the order in which Cedar evaluates them.
type policyList []namedPolicy

type namedPolicy struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

func (l *policyList) add(id string, p *cedar.Policy) {
	*l = append(*l, namedPolicy{cedar.PolicyID(id), p})
}

// All implements [cedar.PolicyIterator].
func (l policyList) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range l {
			if !yield(l[i].id, l[i].policy) {
				return
			}
		}
	}
}
