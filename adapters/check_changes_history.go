package adapters

import (
	"fmt"
	"slices"
	"strings"
)

// history tells what byline reconcile asks of log.
func (c *changeFinder) history() (Change, bool) {
	if !c.a.HasHistory() {
		return Change{}, false
	}

	what := "byline reconcile gives an all-clear only if it understands the whole log: entries of an account that are of no kind, names that could be an account's and lines that cannot be read fail."
	if reads := c.readsInKinds(); len(reads) > 0 {
		what += fmt.Sprintf(" Requests with GET, HEAD and OPTIONS explain no entry: of the actions in log.kinds that concerns %s.", strings.Join(reads, ", "))
	}
	if !c.namesLogins() {
		what += " No kind names Byline's own logins (byline.login, byline.logout): if the log has logins, they are of no kind."
	}
	return Change{"reconcile", what, "log.ignore, log.others, log.entry.user_is; writes on the action; byline.login in log.kinds"}, true
}

// readsInKinds returns the actions of log.kinds that a GET can be, and that do not say that they write.
func (c *changeFinder) readsInKinds() []string {
	var reads []string
	for i := range c.a.spec.Log.Kinds {
		for _, name := range c.a.spec.Log.Kinds[i].Actions {
			isRead := slices.ContainsFunc(c.a.spec.Actions, func(a ActionSpec) bool {
				return a.Name == name && !a.Writes && (len(a.Match.Method) == 0 || slices.Contains(a.Match.Method, "GET"))
			})
			if isRead && !slices.Contains(reads, name) {
				reads = append(reads, name)
			}
		}
	}
	return reads
}

func (c *changeFinder) namesLogins() bool {
	return slices.ContainsFunc(c.a.spec.Log.Kinds, func(k HistoryKind) bool { return slices.Contains(k.Actions, ActionLogin) })
}
