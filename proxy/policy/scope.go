package policy

import (
	"fmt"
	"strings"
)

// ScopeEntry approves actions on resources of one adapter. In an action or a
// resource, * stands for any characters; no resources means all of them. An
// action with a * never grants a privileged action.
type ScopeEntry struct {
	Adapter   string
	Actions   []string
	Resources []string
}

// ParseScopeEntry reads ADAPTER:ACTION[,ACTION...][@RESOURCE], the form of
// byline run --allow and of the scope in a record. A resource is taken as it is,
// with commas and colons.
func ParseScopeEntry(line string) (ScopeEntry, error) {
	adapter, rest, hasActions := strings.Cut(line, ":")
	actions, resource, hasResource := strings.Cut(rest, "@")
	if !hasActions || adapter == "" || actions == "" || hasResource && resource == "" {
		return ScopeEntry{}, fmt.Errorf("scope %q: not ADAPTER:ACTION[,ACTION...][@RESOURCE]", line)
	}

	e := ScopeEntry{Adapter: adapter, Actions: strings.Split(actions, ",")}
	if hasResource {
		e.Resources = []string{resource}
	}
	return e, nil
}

// Lines returns the entry in the form that [ParseScopeEntry] reads: one line for
// each resource, or one line without a resource if the entry has none.
func (e ScopeEntry) Lines() []string {
	actions := e.Adapter + ":" + strings.Join(e.Actions, ",")
	if len(e.Resources) == 0 {
		return []string{actions}
	}

	lines := make([]string, 0, len(e.Resources))
	for _, r := range e.Resources {
		lines = append(lines, actions+"@"+r)
	}
	return lines
}
