package proxy

import (
	"fmt"
	"sync"

	"github.com/byline-proxy/byline/proxy/audit"
)

// unclassified refuses a request that the adapter has no name for.
func (x *exchange) unclassified() *Refusal {
	return refuse(ActionUnclassified, "the adapter %s names no action for %s %s, so it cannot be approved. This task allows: %s. "+
		"The adapter's owner (%s) can name it.", x.adapter.Name(), x.in.Method, x.in.Path, x.grant().Allows(), x.adapter.Interim().Owner)
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

// printCache remembers the fingerprints of one tunnel's borrowed credentials:
// an agent sends the same cookie with every request.
type printCache struct {
	mu   sync.Mutex
	seen map[string]string
}

const maxPrints = 64

// fingerprint is the keyed fingerprint of a borrowed value: the same value has
// the same one, and nobody without the key can find the value from it.
func (t *tunnel) fingerprint(value string) string {
	t.prints.mu.Lock()
	defer t.prints.mu.Unlock()
	if p, ok := t.prints.seen[value]; ok {
		return p
	}
	p := audit.Fingerprint(t.c.printKey, value)
	if t.prints.seen == nil || len(t.prints.seen) >= maxPrints {
		t.prints.seen = map[string]string{}
	}
	t.prints.seen[value] = p
	return p
}
