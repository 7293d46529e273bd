package wire

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// withTrace notes in sent when a request was given a connection: from then on
// the SaaS may have seen some of it.
func withTrace(ctx context.Context, sent *atomic.Bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
}
