package proxy

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// admit lets a request in: the tunnel's own host, a path with one meaning, a
// task that is still alive. It runs per request: a tunnel outlives decisions.
func (x *exchange) admit() error {
	h := &x.in.Head
	if err := x.tunnel.task.Active(); err != nil {
		return ended(err)
	}
	if !x.tunnel.hasAuthority(h.Authority, h.Scheme) {
		return refuse(Misdirected, "this tunnel leads to %s, the request names %q. Open a tunnel to the host that you want.", x.tunnel.authority, h.Authority)
	}
	x.adapter = x.tunnel.adapter(x.rules)
	if x.adapter == nil {
		return hostNotAdapted(x.tunnel.authority)
	}
	if x.rules.refuseOverdue && x.adapter.Overdue(x.started) {
		return refuse(PolicyDenied, "the adapter %s was due for review on %s and is out of use until its owner %s reviews it.",
			x.adapter.Name(), x.adapter.Interim().ReviewBy, x.adapter.Interim().Owner)
	}
	if why := ambiguousPath(h.Path); why != "" {
		return refuse(AmbiguousRequest, "the path %s. Send it in its plain form.", why)
	}
	return nil
}

// value is the first field of that name, compared as HTTP does.
func value(fields []wire.Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}
