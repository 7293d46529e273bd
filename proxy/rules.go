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
// policies and what depends on them, read and checked as one set.
type Rules struct {
	Adapters      *adapters.Set
	Policy        *policy.Set
	PassThrough   []string // hosts whose tunnels are copied, not read: host or *.suffix, either with :port
	RefuseOverdue bool     // refuse requests under an adapter that is past its review_by
}

// rules is one immutable set of Rules. Every exchange captures it once.
type rules struct {
	adapters      *adapters.Set
	policy        *policy.Set
	pass          []string // in lower case
	refuseOverdue bool
	dialer        *upstream.Dialer
	via           *upstream.Proxy // for adapters that name no proxy; nil dials directly
	settings      sync.Map        // *adapters.Adapter → *upstreamSettings
}

// compile checks r and returns it with what it needs of this server.
func (s *Server) compile(r Rules) (*rules, error) {
	set := &rules{adapters: r.Adapters, policy: r.Policy, refuseOverdue: r.RefuseOverdue, dialer: s.dialer, via: s.via}
	for _, host := range r.PassThrough {
		host = strings.ToLower(host)
		if r.Adapters.ByHost(host) != nil {
			return nil, fmt.Errorf("pass_through: %s has an adapter; a host is either intercepted or passed through", host)
		}
		set.pass = append(set.pass, host)
	}
	return set, nil
}

// passThrough reports whether tunnels to the authority are copied without being
// read.
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

		suffix, wild := strings.CutPrefix(want, "*")
		if wild {
			return strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
		}
		return want == host
	})
}

// names returns the hosts that the interception authority may sign (I9).
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
	scope := make([]policy.ScopeEntry, 0, len(t.Scope()))
	for _, e := range t.Scope() {
		scope = append(scope, policy.ScopeEntry(e))
	}

	p := t.Principal()
	return r.policy.Narrow(policy.Subject{Agent: p.Agent, Sponsor: p.Sponsor, Task: p.Task, Purpose: p.Purpose, Grant: p.Grant}, scope)
}

// checkScope returns a problem for every name in a scope that no adapter knows.
// Such a scope would become a grant that refuses everything.
func (r *rules) checkScope(s identity.Spec) (problems []error) {
	for i, e := range s.Scope {
		if e.Adapter == "" {
			continue // Spec.Check reports it
		}

		a := r.adapters.ByName(e.Adapter)
		if a == nil {
			problems = append(problems, fmt.Errorf("scope[%d].adapter: no adapter is named %q (known: %s)", i, e.Adapter, strings.Join(r.adapterNames(), ", ")))
			continue
		}
		known := actionNames(a)
		for _, name := range e.Actions {
			if !strings.Contains(name, "*") && !slices.Contains(known, name) {
				problems = append(problems, fmt.Errorf("scope[%d].actions: %s has no action %q (known: %s)", i, e.Adapter, name, strings.Join(known, ", ")))
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

// actionNames returns the names of the adapter's actions, each once.
func actionNames(a *adapters.Adapter) []string {
	var names []string
	for _, action := range a.NamedActions() {
		if !slices.Contains(names, action.Name) {
			names = append(names, action.Name)
		}
	}
	return names
}
