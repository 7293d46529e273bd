package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"github.com/byline-proxy/byline/proxy/wire"
)

// traced is the exchange's ctx with what the library tells on the way: that the
// request was given a connection, from when on the SaaS may have seen some of it,
// interim answers, and, where there is a body, that something was answered.
func (x *h2exchange) traced(body bool) context.Context {
	t := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) }}
	if x.hints.to != nil {
		t.Got1xxResponse = x.hints.take
	}
	if body {
		t.GotFirstResponseByte = func() { x.heard.Store(something) }
		t.Got1xxResponse = func(status int, header textproto.MIMEHeader) error { // which comes behind it
			x.heard.Store(interim)
			if x.hints.to == nil {
				return nil
			}
			return x.hints.take(status, header)
		}
	}
	return httptrace.WithClientTrace(x.ctx, t)
}

// hints carries interim answers to the agent. The library gives them from the
// goroutine that reads the connection for all of its streams, which must not wait
// for one agent.
type hints struct {
	to        wire.Interim
	maxFields int

	mu    sync.Mutex
	count int
	over  bool
	queue chan *wire.Response // nil before the first
	told  chan struct{}       // closed when the last was passed on
}

// take is httptrace's Got1xxResponse: an error ends the exchange.
func (h *hints) take(status int, header textproto.MIMEHeader) error {
	if status <= http.StatusSwitchingProtocols { // 100 lets the body go, inside the library
		return nil
	}
	resp := &wire.Response{Status: status}
	if bad := fromHeader(resp, http.Header(header), h.maxFields); bad != nil {
		return bad
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil
	}
	if h.count++; h.count > maxInterim {
		return errors.New("the SaaS gives interim answers without an end")
	}
	if h.queue == nil {
		h.queue, h.told = make(chan *wire.Response, maxInterim), make(chan struct{})
		go func() {
			defer close(h.told)
			for r := range h.queue {
				h.to.Interim(r.Status, r.Fields)
			}
		}()
	}
	h.queue <- resp // never full: count bounds it
	return nil
}

// end returns once all interim answers were passed on; no other will be.
func (h *hints) end() {
	h.mu.Lock()
	h.over = true
	queue := h.queue
	h.mu.Unlock()
	if queue != nil {
		close(queue)
		<-h.told
	}
}
