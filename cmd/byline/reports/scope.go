package reports

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// parseScope reads the lines of a recorded scope. A malformed line grants nothing and is
// left out.
func parseScope(lines []string) []policy.ScopeEntry {
	var scope []policy.ScopeEntry
	for _, line := range lines {
		if e, err := policy.ParseScopeEntry(line); err == nil {
			scope = append(scope, e)
		}
	}
	return scope
}

// grantFor returns the grant of a scope without operators' policies. A nil grant denies.
func grantFor(scope ...policy.ScopeEntry) *policy.Grant {
	set, err := policy.Parse(nil, nil)
	if err != nil {
		return nil
	}
	return set.Narrow(policy.Subject{Agent: "agent", Sponsor: "sponsor", Task: "task"}, scope)
}

// requestOf returns the request of an intent or a refusal as the policy saw it.
func requestOf(r *audit.Record) policy.Request {
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return policy.Request{
		Adapter:    r.Adapter,
		Action:     r.Action,
		Resource:   r.Resource,
		Privileged: r.Privileged,
		Method:     r.Method,
		Host:       host,
		Path:       r.Path,
		Now:        r.Time,
	}
}
