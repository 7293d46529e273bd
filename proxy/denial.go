package proxy

import "fmt"

// unclassified refuses a request that the adapter has no name for.
func (x *exchange) unclassified() *Refusal {
	if x.body != nil && !x.kept {
		return refuse(ActionUnclassified, "the adapter %s names what %s %s does by its body, which is longer than the %d MiB that are read for it. This task allows: %s. "+
			"Send it in parts, or ask the adapter's owner (%s).", x.adapter.Name(), x.in.Method, x.in.Path, peekLimit>>20, x.grant().Allows(), x.adapter.Interim().Owner)
	}
	return refuse(ActionUnclassified, "the adapter %s names no action for %s %s, so it cannot be approved. This task allows: %s. "+
		"The adapter's owner (%s) can name it.", x.adapter.Name(), x.in.Method, x.in.Path, x.grant().Allows(), x.adapter.Interim().Owner)
}

// near says which actions an unnamed request nearly is, and what is in the way.
func (x *exchange) near(names bool) []string {
	q := x.query()
	q.Body, q.Truncated = x.body, x.body != nil && !x.kept
	return x.adapter.Near(q, names)
}

// denied tells an agent what it asked for, what it may do instead, and who can
// widen that.
func (x *exchange) denied() *Refusal {
	what := x.action.Name
	if x.action.Resource != "" {
		what = fmt.Sprintf("%s on %q", x.action.Name, x.action.Resource)
	}
	p := x.tunnel.task.Principal()
	if Code(x.decision.Code) == PolicyDenied {
		return refuse(PolicyDenied, "%s is in this task's scope, but the policy %v forbids it now. The operator's policies decide that; ask %s, the sponsor, to take it up with them.",
			what, x.decision.Policies, p.Sponsor)
	}
	return refuse(OutOfScope, "%s is outside this task's scope. It allows: %s. %s, the sponsor, can have a task with a wider scope made.",
		what, x.grant().Allows(), p.Sponsor)
}
