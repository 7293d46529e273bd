package proxy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// Rules is what an operator edits and can change without a restart: adapters,
// policies and what hangs on them, read and checked as one.
type Rules struct {
	Adapters      *adapters.Set
	Policy        *policy.Set
	PassThrough   []string // hosts whose tunnels are copied, not read: host, *.suffix, either with :port
	RefuseOverdue bool     // an adapter past its review_by refuses
}

// rules is one immutable set, captured once per exchange.
type rules struct {
	adapters      *adapters.Set
	policy        *policy.Set
	pass          []string
	refuseOverdue bool
	upstreams     sync.Map // *adapters.Adapter → *secured
	dialer        *upstream.Dialer
	via           *upstream.Proxy // for adapters that name no proxy of their own; nil: none
}

// compile is the rules with what they need of this corridor.
func (s *Server) compile(r Rules) (*rules, error) {
	set, err := compile(r)
	if err == nil {
		set.dialer, set.via = s.dialer, s.via
	}
	return set, err
}

func compile(r Rules) (*rules, error) {
	set := &rules{adapters: r.Adapters, policy: r.Policy, refuseOverdue: r.RefuseOverdue}
	for _, host := range r.PassThrough {
		host = strings.ToLower(host)
		if r.Adapters.ByHost(host) != nil {
			return nil, fmt.Errorf("pass_through: %s has an adapter; a host is either intercepted or passed through", host)
		}
		set.pass = append(set.pass, host)
	}
	return set, nil
}

// passThrough tells whether tunnels to the authority are copied unread.
func (r *rules) passThrough(authority string) bool {
	host, port := wire.SplitAuthority(authority)
	return slices.ContainsFunc(r.pass, func(pattern string) bool {
		want, wantPort := wire.SplitAuthority(pattern)
		if wantPort == "" {
			wantPort = "443"
		}
		if wantPort != port {
			return false
		}
		if suffix, wild := strings.CutPrefix(want, "*"); wild {
			return strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
		}
		return want == host
	})
}

// names are the hosts that the interception authority may sign (I9).
func (r *rules) names() []string {
	var names []string
	for _, a := range r.adapters.All() {
		for _, h := range a.Hosts() {
			host, _ := wire.SplitAuthority(h)
			names = append(names, strings.Trim(host, "[]"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// compileGrant compiles a task's scope against these rules.
func (r *rules) compileGrant(t *identity.Task) *policy.Grant {
	p := t.Principal()
	scope := make([]policy.ScopeEntry, 0, len(t.Scope()))
	for _, e := range t.Scope() {
		scope = append(scope, policy.ScopeEntry{Adapter: e.Adapter, Actions: e.Actions, Resources: e.Resources})
	}
	return r.policy.Narrow(policy.Subject{Agent: p.Agent, Sponsor: p.Sponsor, Task: p.Task, Purpose: p.Purpose, Grant: p.Grant}, scope)
}

// checkScope finds names in a spec that no adapter knows, before they become a
// grant that refuses everything.
func (r *rules) checkScope(s identity.Spec) (problems []error) {
	for i, e := range s.Scope {
		if e.Adapter == "" {
			continue // the spec's own check says so
		}
		a := r.adapters.ByName(e.Adapter)
		if a == nil {
			problems = append(problems, fmt.Errorf("scope[%d].adapter: no adapter is named %q (known: %s)", i, e.Adapter, strings.Join(r.adapterNames(), ", ")))
			continue
		}
		for _, name := range e.Actions {
			if !strings.Contains(name, "*") && !slices.Contains(actionNames(a), name) {
				problems = append(problems, fmt.Errorf("scope[%d].actions: %s has no action %q (known: %s)", i, e.Adapter, name, strings.Join(actionNames(a), ", ")))
			}
		}
	}
	return problems
}

func (r *rules) adapterNames() []string {
	var names []string
	for _, a := range r.adapters.All() {
		names = append(names, a.Name())
	}
	return names
}

func actionNames(a *adapters.Adapter) []string {
	var names []string
	for _, s := range a.Actions() {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}
