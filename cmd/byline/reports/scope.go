package reports

import (
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// parseScopeLine reads one line of a recorded scope: ADAPTER:ACTION[,ACTION...][@RESOURCE].
func parseScopeLine(line string) (policy.ScopeEntry, error) {
	adapter, rest, ok := strings.Cut(line, ":")
	actions, resource, limited := strings.Cut(rest, "@")
	if !ok || adapter == "" || actions == "" {
		return policy.ScopeEntry{}, fmt.Errorf("scope %q: not ADAPTER:ACTION[@RESOURCE]", line)
	}

	e := policy.ScopeEntry{Adapter: adapter, Actions: strings.Split(actions, ",")}
	if limited {
		e.Resources = []string{resource}
	}
	return e, nil
}

// parseScope reads the lines of a recorded scope. A malformed line grants nothing and is
// left out.
func parseScope(lines []string) []policy.ScopeEntry {
	var scope []policy.ScopeEntry
	for _, line := range lines {
		if e, err := parseScopeLine(line); err == nil {
			scope = append(scope, e)
		}
	}
	return scope
}

// scopeLines returns one line for each resource, or one without a resource if there is
// none.
func scopeLines(adapter, action string, resources []string) []string {
	if len(resources) == 0 {
		return []string{adapter + ":" + action}
	}

	var lines []string
	for _, r := range resources {
		lines = append(lines, adapter+":"+action+"@"+r)
	}
	return lines
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
