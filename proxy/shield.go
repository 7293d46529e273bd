package proxy

import (
	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// shield keeps the session out of the answer (I1). Session cookies go into the
// jar, and secrets that the application repeats are masked. A mask is as long as
// what it covers, so that lengths, ETags and offsets stay true.
func (x *exchange) shield(resp *wire.Response) error {
	resp.Fields = x.adapter.Shield(make([]wire.Field, 0, len(resp.Fields)+1), x.masker, resp.Fields)
	x.hold.noteChange(x.session)
	x.shieldTrailers(resp)

	isText := adapters.Maskable(wire.Value(resp.Fields, "Content-Type"))
	if resp.Body != nil && isText && x.masker.Masks() {
		resp.Body = &replacedBody{Reader: x.masker.Reader(resp.Body), Closer: resp.Body}
	}
	return nil
}

// Interim shields an interim answer and passes it on to the agent. The wire calls
// it for each interim answer of the application.
func (x *exchange) Interim(status int, fields []wire.Field) {
	shielded := x.adapter.ShieldPart(make([]wire.Field, 0, len(fields)), x.masker, fields)
	x.hold.noteChange(x.session)
	x.in.Interim.Interim(status, shielded)
}

// shieldTrailers shields the fields that follow the body, once they have come.
func (x *exchange) shieldTrailers(resp *wire.Response) {
	trailers := resp.Trailers
	if trailers == nil {
		return
	}
	resp.Trailers = func() []wire.Field {
		fields := trailers()
		if len(fields) == 0 {
			return nil
		}
		return x.adapter.ShieldPart(make([]wire.Field, 0, len(fields)), x.masker, fields)
	}
}
