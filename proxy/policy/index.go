package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// index files a rule under each action and group that its head names.
func (s *Set) index(n int, head ast.IsActionScopeNode) {
	for _, id := range actionsOf(head) {
		s.byAction[id] = append(s.byAction[id], n)
	}
	if _, all := head.(ast.ScopeTypeAll); all {
		s.anywhere = append(s.anywhere, n)
	}
}

// actionsOf lists the actions and groups that a head names.
func actionsOf(head ast.IsActionScopeNode) (ids []string) {
	switch h := head.(type) {
	case ast.ScopeTypeEq:
		ids = append(ids, string(h.Entity.ID))
	case ast.ScopeTypeIn:
		ids = append(ids, string(h.Entity.ID))
	case ast.ScopeTypeInSet:
		for _, e := range h.Entities {
			ids = append(ids, string(e.ID))
		}
	}
	return ids
}

// meeting is every rule that an action can meet, by place: those whose head
// names it, one of its groups, or nothing.
func (s *Set) meeting(action string, groups []string) []int {
	met := slices.Concat(s.anywhere, s.byAction[action])
	for _, g := range groups {
		met = append(met, s.byAction[g]...)
	}
	slices.Sort(met)
	return slices.Compact(met)
}

// about tells whether the rule's head can be true of this principal and of
// some resource of this adapter.
func (r *rule) about(principal types.Entity, adapter string) bool {
	return heads(r.tree.Principal, func(e types.EntityUID) bool {
		return e == principal.UID || principal.Parents.Contains(e)
	}) && heads(r.tree.Resource, func(e types.EntityUID) bool {
		return e == types.NewEntityUID(typeAdapter, types.String(adapter)) ||
			e.Type == typeResource && strings.HasPrefix(string(e.ID), adapter+":")
	})
}

func heads(head ast.IsScopeNode, names func(types.EntityUID) bool) bool {
	switch h := head.(type) {
	case ast.ScopeTypeEq:
		return names(h.Entity)
	case ast.ScopeTypeIn:
		return names(h.Entity)
	case ast.ScopeTypeIsIn:
		return names(h.Entity)
	}
	return true // all, or a type: the check left only the fitting one
}

// groupsOf lists the groups that an action is in: the adapter's, one for each
// dotted name above it, and "login" for what names a login.
func groupsOf(adapter, action string) []string {
	groups := []string{adapter + ":*"}
	for i, c := range []byte(action) {
		if c == '.' {
			groups = append(groups, adapter+":"+action[:i]+".*")
		}
	}
	if action == loginGroup || strings.HasSuffix(action, "."+loginGroup) {
		groups = append(groups, loginGroup)
	}
	return groups
}

// keysOf lists what the conditions read of the context; all of it when they
// use it other than by attribute.
func keysOf(p *ast.Policy) (keys []string) {
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			var of ast.StrOpNode
			switch n := n.(type) {
			case ast.NodeTypeAccess:
				of = n.StrOpNode
			case ast.NodeTypeHas:
				of = n.StrOpNode
			case ast.NodeTypeVariable:
				if n == ast.NewContextNode() {
					keys = append(keys, contextKeys...)
				}
				return true
			default:
				return true
			}
			if of.Arg == ast.IsNode(ast.NewContextNode()) {
				keys = append(keys, string(of.Value))
				return false
			}
			return true
		})
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
