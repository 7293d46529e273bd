package upstream

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"github.com/byline-proxy/byline/proxy/wire"
)

// traced returns the exchange's context with a trace of what the library does: when
// the request is given a connection, from which moment on the application may have
// seen some of it; interim answers; and, if there is a body, that something was
// answered.
func (x *h2exchange) traced(hasBody bool) context.Context {
	t := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) }}
	if x.interim.to != nil {
		t.Got1xxResponse = x.interim.add
	}
	if hasBody {
		t.GotFirstResponseByte = func() { x.heard.Store(heardAnswer) }
		t.Got1xxResponse = func(status int, header textproto.MIMEHeader) error { // called after GotFirstResponseByte
			x.heard.Store(heardInterim)
			if x.interim.to == nil {
				return nil
			}
			return x.interim.add(status, header)
		}
	}
	return httptrace.WithClientTrace(x.ctx, t)
}

// interimQueue carries interim answers to the agent. The library reports them from
// the goroutine that reads the connection for all of its streams, which must not
// wait for one agent.
type interimQueue struct {
	to        wire.Interim // nil drops interim answers
	maxFields int

	mu       sync.Mutex
	count    int
	finished bool
	queue    chan *wire.Response // nil before the first
	done     chan struct{}       // closed once the last was passed on
}

// add queues an interim answer. An error ends the exchange.
func (q *interimQueue) add(status int, header textproto.MIMEHeader) error {
	if status <= http.StatusSwitchingProtocols { // the library itself acts on 100
		return nil
	}
	resp := &wire.Response{Status: status}
	if bad := setFields(resp, http.Header(header), q.maxFields); bad != nil {
		return bad
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if q.finished {
		return nil
	}
	q.count++
	if q.count > maxInterim {
		return errTooManyInterim
	}
	if q.queue == nil {
		q.queue, q.done = make(chan *wire.Response, maxInterim), make(chan struct{})
		go func() {
			defer close(q.done)
			for r := range q.queue {
				q.to.Interim(r.Status, r.Fields)
			}
		}()
	}
	q.queue <- resp // never blocks: count bounds it
	return nil
}

// finish returns once all interim answers were passed on. None is passed on
// afterwards.
func (q *interimQueue) finish() {
	q.mu.Lock()
	q.finished = true
	queue := q.queue
	q.mu.Unlock()

	if queue != nil {
		close(queue)
		<-q.done
	}
}
