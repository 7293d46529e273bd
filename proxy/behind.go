package proxy

import (
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// lateBorrowed are credentials that an agent put behind its body. The intent was
// on record by then, so the outcome names them. The upstream side of the wire
// adds, whoever records the outcome takes.
type lateBorrowed struct {
	mu  sync.Mutex
	all []adapters.Borrowed
}

func (l *lateBorrowed) take() []adapters.Borrowed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// outTrailers are the agent's trailer fields under the rules of its header (I2).
func (x *exchange) outTrailers() []wire.Field {
	in := x.in.Trailers()
	if len(in) == 0 {
		return nil
	}
	kept, cookies, left := x.adapter.Strip(nil, in)
	for _, c := range cookies { // none may come behind a body
		left = append(left, adapters.Borrowed{In: "cookie", Name: c.Name, Value: adapters.Hide(c.Value)})
	}
	for i := range left {
		left[i].In = "trailer"
	}
	x.late.mu.Lock()
	defer x.late.mu.Unlock()
	x.late.all = left
	return kept
}

// Interim passes an interim answer on to the agent, behind the same shield as the
// answer itself. It is the wire's Request.Interim.
func (x *exchange) Interim(status int, fields []wire.Field) {
	shielded := x.adapter.Shield(make([]wire.Field, 0, len(fields)), x.veil, fields, x.tunnel.host, x.in.Path, x.began)
	x.hold.noteChange(x.session)
	x.in.Interim.Interim(status, shielded)
}

// shieldTrailers keeps the session out of what comes behind the body (I1).
func (x *exchange) shieldTrailers(resp *wire.Response) {
	behind := resp.Trailers
	if behind == nil {
		return
	}
	resp.Trailers = func() []wire.Field {
		fields := behind()
		if len(fields) == 0 {
			return nil
		}
		return x.adapter.Shield(make([]wire.Field, 0, len(fields)), x.veil, fields, x.tunnel.host, x.in.Path, x.began)
	}
}
