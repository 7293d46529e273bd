package proxy

import (
	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// shield keeps the session on this side: held cookies go to the jar, and what
// was injected and comes back is masked, at its own length, so that lengths,
// ETags and offsets stay true.
func (x *exchange) shield(resp *wire.Response) error {
	resp.Fields = x.adapter.Shield(make([]wire.Field, 0, len(resp.Fields)+1), x.masker, resp.Fields)
	x.hold.noteChange(x.session)
	x.shieldTrailers(resp)
	if resp.Body == nil || !adapters.Maskable(fieldValue(resp.Fields, "Content-Type")) {
		return nil
	}
	if x.masker.Masks() {
		resp.Body = &replacedBody{Reader: x.masker.Reader(resp.Body), Closer: resp.Body}
	}
	return nil
}

// Interim passes an interim answer on to the agent, behind the same shield as the
// answer itself. It is the wire's Request.Interim.
func (x *exchange) Interim(status int, fields []wire.Field) {
	shielded := x.adapter.ShieldPart(make([]wire.Field, 0, len(fields)), x.masker, fields)
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
		return x.adapter.ShieldPart(make([]wire.Field, 0, len(fields)), x.masker, fields)
	}
}
