package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// indexRule files the rule with that number under each action and group that its
// head names.
func (s *Set) indexRule(n int, head ast.IsActionScopeNode) {
	for _, id := range actionsOf(head) {
		s.byAction[id] = append(s.byAction[id], n)
	}
	if _, isAll := head.(ast.ScopeTypeAll); isAll {
		s.anyAction = append(s.anyAction, n)
	}
}

// actionsOf returns the actions and groups that a head names.
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

// rulesFor returns the rules that can apply to an action, in their order: those
// whose head names the action, one of its groups, or no action.
func (s *Set) rulesFor(action string, groups []string) []int {
	rules := slices.Concat(s.anyAction, s.byAction[action])
	for _, g := range groups {
		rules = append(rules, s.byAction[g]...)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// canApply reports whether the rule's head can match the principal and some
// resource of the adapter.
func (r *rule) canApply(principal types.Entity, adapter string) bool {
	isPrincipal := func(e types.EntityUID) bool {
		return e == principal.UID || principal.Parents.Contains(e)
	}
	isOfAdapter := func(e types.EntityUID) bool {
		return e == types.NewEntityUID(typeAdapter, types.String(adapter)) ||
			e.Type == typeResource && strings.HasPrefix(string(e.ID), adapter+":")
	}
	return headMatches(r.tree.Principal, isPrincipal) && headMatches(r.tree.Resource, isOfAdapter)
}

// headMatches reports whether the head names an entity that matches. A head that
// names only a type, or nothing, matches: check refused types that cannot match.
func headMatches(head ast.IsScopeNode, matches func(types.EntityUID) bool) bool {
	switch h := head.(type) {
	case ast.ScopeTypeEq:
		return matches(h.Entity)
	case ast.ScopeTypeIn:
		return matches(h.Entity)
	case ast.ScopeTypeIsIn:
		return matches(h.Entity)
	}
	return true
}

// groupsOf returns the groups that an action is in: the adapter's, one for each
// dotted name above the action, and the login group for logins.
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

// contextKeysOf returns the attributes of the context that the conditions of a
// policy read: all of them if a condition uses the context as a whole.
func contextKeysOf(p *ast.Policy) (keys []string) {
	visit := func(n ast.IsNode) (visitChildren bool) {
		var access ast.StrOpNode
		switch n := n.(type) {
		case ast.NodeTypeAccess:
			access = n.StrOpNode
		case ast.NodeTypeHas:
			access = n.StrOpNode
		case ast.NodeTypeVariable:
			if n == ast.NewContextNode() {
				keys = append(keys, contextKeys...)
			}
			return true
		default:
			return true
		}

		if access.Arg != ast.IsNode(ast.NewContextNode()) {
			return true
		}
		keys = append(keys, string(access.Value))
		return false
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), visit)
	}

	slices.Sort(keys)
	return slices.Compact(keys)
}
