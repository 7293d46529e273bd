package proxy

import (
	"bytes"
	"io"

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

	if resp.Body == nil || !x.masker.Masks() {
		return nil
	}

	if whole, ok := resp.Body.(wire.WholeBody); ok { // it is masked where it is
		rest := whole.Rest()
		if isText(resp.Fields) || !adapters.LooksBinary(rest) {
			x.masker.InPlace(rest)
		}
		return nil
	}

	var masked io.Reader
	if isText(resp.Fields) {
		masked = x.masker.Reader(resp.Body)
	} else {
		masked = &unlessBinary{body: resp.Body, masker: x.masker}
	}
	resp.Body = &replacedBody{Reader: masked, Closer: resp.Body}
	return nil
}

// unlessBinary masks a body whose type says that it is not text, if it begins like
// text: some applications say what the request names.
type unlessBinary struct {
	body   io.Reader
	masker adapters.Masker
	known  io.Reader // nil before the first Read
}

func (u *unlessBinary) Read(p []byte) (int, error) {
	if u.known != nil {
		return u.known.Read(p)
	}

	n, err := u.body.Read(p)
	if n == 0 && err == nil {
		return 0, nil
	}
	if adapters.LooksBinary(p[:n]) {
		u.known = u.body
		return n, err
	}
	rest := u.body
	if err != nil {
		rest = errorReader{err}
	}
	u.known = u.masker.Reader(&prefixedBody{bytes.Clone(p[:n]), rest})
	return u.known.Read(p)
}

// errorReader is a body that has ended, or broken off.
type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// Interim shields an interim answer and passes it on to the agent. The wire calls
// it for each interim answer of the application.
func (x *exchange) Interim(status int, fields []wire.Field) {
	shielded := x.adapter.ShieldPart(make([]wire.Field, 0, len(fields)), x.masker, fields)
	x.hold.noteChange(x.session)
	x.in.Interim.Interim(status, shielded)
}

// shieldTrailers shields the fields that follow the body, once they have come.
func (x *exchange) shieldTrailers(resp *wire.Response) {
	resp.AnnouncedTrailers = x.session.Mask().Text(resp.AnnouncedTrailers)
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
