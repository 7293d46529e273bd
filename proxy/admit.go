package proxy

import "github.com/byline-proxy/byline/adapters"

// admit checks that the request names the tunnel's own host, that its path has
// one meaning, and that its task is still active. It runs for every request,
// because a tunnel outlives the decisions made when it was opened.
func (x *exchange) admit() error {
	if err := x.tunnel.task.Active(); err != nil {
		return refuseEnded(err)
	}

	x.cutSessionFromPath()
	h := &x.in.Head
	if !x.tunnel.hasAuthority(h.Authority, h.Scheme) {
		return refuse(Misdirected, "this tunnel leads to %s, but the request names %q. Open a tunnel to the host that you want.",
			x.tunnel.authority, h.Authority)
	}

	x.adapter = x.tunnel.adapter(x.rules)
	if x.adapter == nil {
		return refuseHostNotAdapted(x.tunnel.authority)
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

// cutSessionFromPath takes the session of a servlet container out of the path:
// links of pages have it, and the path without it is what is meant. Every step
// after this one reads the path that goes out.
func (x *exchange) cutSessionFromPath() {
	path, cut := adapters.StripPath(x.in.Path)
	if path == x.in.Path {
		return
	}

	in := *x.in
	in.Path = path
	x.in, x.inPath = &in, cut
}
