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

// closeBody discards the rest of an answer that goes no further.
func closeBody(r *wire.Response) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// cutQuery splits a request target into path and query.
func cutQuery(target string) (path, query string, has bool) { return strings.Cut(target, "?") }
