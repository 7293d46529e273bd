package proxy

import (
	"io"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// replacedBody reads from one body and closes another: the one that the
// application sends.
type replacedBody struct {
	io.Reader
	io.Closer
}

// HasArrived implements wire.Arriving for the body that is closed.
func (r *replacedBody) HasArrived() bool { return hasArrived(r.Closer) }

// hasArrived reports whether more of a body has arrived.
func hasArrived(body any) bool {
	arriving, ok := body.(wire.Arriving)
	return ok && arriving.HasArrived()
}

// prefixedBody is a body whose first bytes were read already.
type prefixedBody struct {
	first []byte
	rest  io.Reader
}

func (p *prefixedBody) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.rest.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}

// HasArrived implements wire.Arriving.
func (p *prefixedBody) HasArrived() bool { return len(p.first) > 0 || hasArrived(p.rest) }

// watchedBody is a body of an agent on its way through a reader that watches it.
type watchedBody struct {
	io.Reader
	from io.Reader
}

// HasArrived implements wire.Arriving.
func (w *watchedBody) HasArrived() bool { return hasArrived(w.from) }

// closeBody discards the rest of an answer that goes no further.
func closeBody(r *wire.Response) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// cutQuery splits a request target into path and query.
func cutQuery(target string) (path, query string, has bool) { return strings.Cut(target, "?") }
