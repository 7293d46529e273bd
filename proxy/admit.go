package proxy

import "github.com/byline-proxy/byline/adapters"

// admit checks that the request names the tunnel's own host, that its path has
// one meaning, and that its task is still active. It runs for every request,
// because a tunnel outlives the decisions made when it was opened.
func (x *exchange) admit() error {
	if err := x.tunnel.task.maySend(); err != nil {
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

	why := ambiguousPath(h.Path, x.adapter.PathEscapes())
	holdsCredential := x.hideCredentialInPath()
	switch {
	case why != "":
		return refuse(AmbiguousRequest, "the path %s. Send it in its plain form.", why)
	case holdsCredential:
		return refuse(CredentialInPath, "a part of the path is a token or a key. Your requests are already authenticated: go to the page itself. "+
			"If the application means something else by it, the adapter's owner (%s) can let such paths through (paths.pass).", x.adapter.Interim().Owner)
	}
	return nil
}

// hideCredentialInPath reports whether a segment of the path is a token or a key, as
// in links for one use. The path without it is another path, so such a request is
// refused; the path that is left is for the record.
func (x *exchange) hideCredentialInPath() bool {
	found, path, isThere := x.adapter.CredentialInPath(x.in.Path)
	if !isThere {
		return false
	}

	in := *x.in
	in.Path = path
	x.in = &in
	x.borrowed = append(x.borrowed, found)
	return true
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
