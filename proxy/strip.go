package proxy

import (
	"bytes"
	"io"
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// strip builds the fields and the query that may go out. What the agent
// carried of a person's is left behind and kept for the record.
func (x *exchange) strip() {
	in := &x.in.Head
	x.out.Head = wire.Head{
		Proto: in.Proto, Method: in.Method, Scheme: in.Scheme, Authority: in.Authority,
		Path: in.Path, HasQuery: in.HasQuery, Length: in.Length, Upgrade: in.Upgrade,
		Expect: in.Expect && x.body == nil, TakesTrailers: in.TakesTrailers, Announced: in.Announced,
	}
	x.out.Fields, x.cookies, x.borrowed = x.adapter.Strip(make([]wire.Field, 0, len(in.Fields)+4), in.Fields)
	var fromQuery []adapters.Borrowed
	x.out.Query, fromQuery = x.adapter.StripQuery(in.Query)
	x.out.HasQuery = in.HasQuery && (x.out.Query != "" || in.Query == "")
	x.borrowed = append(append(x.borrowed, fromQuery...), x.inBody...)
	x.out.Body = x.outBody()
	if x.out.Interim, x.out.Trailers = nil, nil; x.in.Interim != nil {
		x.out.Interim = x
	}
	if x.in.Trailers != nil {
		x.out.Trailers = x.outTrailers
	}
}

// outBody is what was peeked, then the rest.
func (x *exchange) outBody() io.Reader {
	switch {
	case x.in.Body == nil:
		return nil
	case x.body == nil:
		return x.in.Body
	case x.bodyComplete:
		return newReplay(x.body)
	}
	return io.MultiReader(newReplay(x.body), x.in.Body)
}

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
	x.trailerBorrowed.mu.Lock()
	defer x.trailerBorrowed.mu.Unlock()
	x.trailerBorrowed.all = left
	return kept
}

func newReplay(b []byte) io.Reader { return bytes.NewReader(b) }
