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

// maxListedResources is how many resources of an action a suggested scope lists. Above
// that it names what they have in common.
const maxListedResources = 20

// addTask counts each task once.
func (g *Group) addTask(id string) {
	if !g.tasks[id] {
		g.tasks[id] = true
		g.Tasks++
	}
}

// addRequest counts a permitted request.
func (g *Group) addRequest(r *audit.Record) {
	g.addTask(r.Task)
	g.Requests++
	if r.Privileged {
		g.Privileged++
	}

	u := g.used[r.Action]
	if u == nil {
		u = &usage{privileged: r.Privileged, resources: map[string]bool{}}
		g.used[r.Action] = u
	}
	u.times++
	if !u.resources[r.Resource] {
		u.resources[r.Resource] = true
		g.requests = append(g.requests, requestOf(r))
	}
}

// addLease counts the part of a lease that is in the period. The first record of a lease
// is its checkout.
func (g *Group) addLease(r *audit.Record, p Period) {
	h := g.held[r.Account]
	if h == nil {
		h = &Held{Account: r.Account, since: map[string]time.Time{}}
		g.held[r.Account] = h
	}

	since, open := h.since[r.Lease]
	switch {
	case !open:
		h.since[r.Lease] = r.Time
	case r.Detail == "checked in", r.Code == "lease_lost":
		delete(h.since, r.Lease)
		if r.Time.After(p.From) {
			h.Leases++
			h.Held += r.Time.Sub(laterOf(since, p.From))
		}
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// finish turns the counts into lists. end is the end of the period.
func (g *Group) finish(end time.Time) {
	for _, action := range slices.Sorted(maps.Keys(g.used)) {
		u := g.used[action]
		resources := narrowResources(u.resources)
		g.Used = append(g.Used, Use{Action: action, Privileged: u.privileged, Resources: resources, Times: u.times})

		entry := policy.ScopeEntry{Adapter: g.Adapter, Actions: []string{action}, Resources: resources}
		g.Suggested = append(g.Suggested, entry.Lines()...)
	}

	for key, n := range g.refused {
		g.Refused = append(g.Refused, Use{Action: key[0], Code: key[1], Browser: key[2], Times: n})
	}
	slices.SortFunc(g.Refused, func(a, b Use) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Action, b.Action), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Browser, b.Browser))
	})

	for _, code := range slices.Sorted(maps.Keys(g.alerts)) {
		g.Alerts = append(g.Alerts, Alert{Code: code, Times: g.alerts[code]})
	}

	for _, line := range g.Approved {
		g.Unused = append(g.Unused, g.unusedParts(line)...)
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

	g.Check = g.try(g.Suggested)
}

// unusedParts returns a scope line for each action of an approved line that no request
// needed.
func (g *Group) unusedParts(line string) []string {
	entry, err := policy.ParseScopeEntry(line)
	if err != nil {
		return nil
	}

	var unused []string
	for _, action := range entry.Actions {
		part := policy.ScopeEntry{Adapter: entry.Adapter, Actions: []string{action}, Resources: entry.Resources}
		grant := grantFor(part)
		used := slices.ContainsFunc(g.requests, func(q policy.Request) bool {
			return grant.Decide(q).Effect == policy.Permit
		})
		if !used {
			unused = append(unused, part.Lines()...)
		}
	}
	return unused
}

// try decides every distinct permitted request under a scope.
func (g *Group) try(scope []string) Check {
	grant := grantFor(parseScope(scope)...)
	c := Check{Requests: len(g.requests)}
	for _, q := range g.requests {
		if grant.Decide(q).Effect != policy.Permit {
			c.Refused++
		}
	}
	return c
}

// narrowResources names the resources that were used in few patterns: each resource, or
// if there are many, their common prefix. nil means all resources.
func narrowResources(used map[string]bool) []string {
	if used[""] {
		return nil // the action has no resource
	}
	all := slices.Sorted(maps.Keys(used))
	if len(all) <= maxListedResources {
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
