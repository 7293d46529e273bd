package proxy

import (
	"bytes"
	"io"
	"slices"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// setOutBody sets the body that goes out, with its length and its Content-Type: the
// canonical form of a body that decided, or else what the agent sent (I11). A
// request without a body goes out without a Content-Type, because some frameworks
// decode the query by its charset.
func (x *exchange) setOutBody() {
	x.out.Fields = x.keepContentFields(x.out.Fields)
	switch {
	case x.in.Body == nil:
		x.out.Body = nil
		x.out.Fields = setContentType(x.out.Fields, "")

	case x.outbound.IsUpload():
		x.openUpload()

	case x.outbound.RewritesBody:
		x.setWholeBody()
		x.out.Fields = setContentType(x.out.Fields, x.outbound.ContentType)

	case x.body == nil:
		x.out.Body = x.judgeWhileSent(x.in.Body)

	case x.bodyComplete:
		x.setWholeBody()
		if len(x.body) == 0 {
			x.out.Fields = setContentType(x.out.Fields, "")
		}

	default:
		x.out.Body = x.judgeWhileSent(io.MultiReader(bytes.NewReader(x.body), x.in.Body))
	}
}

// judgeWhileSent returns a reader of a body that goes out as it came, unless it was
// judged before or is not to be.
func (x *exchange) judgeWhileSent(body io.Reader) io.Reader {
	if !x.outbound.JudgesBody() {
		return body
	}
	return x.outbound.JudgeBody(body, func() *adapters.Session { return x.session }, x.refuseFinding)
}

// setWholeBody sets a body that is held. It goes out with a length, which old
// applications want, unless trailer fields follow it.
func (x *exchange) setWholeBody() {
	x.out.Body, x.out.Length = bytes.NewReader(x.body), int64(len(x.body))
	switch {
	case x.in.Length < 0 && x.in.Trailers != nil && len(x.in.Trailers()) > 0:
		x.out.Length = -1
	case len(x.body) == 0:
		x.out.Body = nil
	}
}

// openUpload sets the canonical form of a multipart form as the body.
func (x *exchange) openUpload() {
	content, contentType, length, err := x.outbound.OpenUpload(x.in.Length)
	if err != nil {
		content = failingReader{err}
	}
	x.out.Body, x.out.Length = &uploadBody{x: x, from: content}, length
	x.out.Fields = setContentType(x.out.Fields, contentType)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// uploadBody is an upload on its way. If the rest of the form is not what was
// decided on, it fails with an error that the wire takes for the agent's: the
// connection is cut, so that the application does not get the whole request.
type uploadBody struct {
	x    *exchange
	from io.Reader
}

// Read implements io.Reader.
func (u *uploadBody) Read(p []byte) (int, error) {
	n, err := u.from.Read(p)
	if m := bodyMalformed(err); m != nil {
		u.x.noteBodyFault(err)
		return n, m
	}
	return n, err
}

// keepContentFields removes digests of bytes that do not go out.
func (x *exchange) keepContentFields(fields []wire.Field) []wire.Field {
	if !x.outbound.RewritesBody {
		return fields
	}
	return slices.DeleteFunc(fields, func(f wire.Field) bool { return isDigestName(f.Name) })
}

// isDigestName reports a field with a digest of the body (RFC 9530, RFC 1864).
func isDigestName(name string) bool {
	return wire.SameName(name, "Digest") || wire.SameName(name, "Content-MD5") ||
		wire.SameName(name, "Repr-Digest") || wire.SameName(name, "Content-Digest")
}

// setContentType replaces the Content-Type among fields. "" removes it.
func setContentType(fields []wire.Field, value string) []wire.Field {
	out := fields[:0]
	for _, f := range fields {
		if !wire.SameName(f.Name, "Content-Type") {
			out = append(out, f)
			continue
		}
		if value != "" {
			out = append(out, wire.Field{Name: f.Name, Value: value})
			value = ""
		}
	}
	return out
}

// noteBodyFault keeps why an upload was broken off, for the outcome on record.
func (x *exchange) noteBodyFault(err error) {
	if bad, ok := err.(*adapters.BodyError); ok {
		x.bodyFault.Store(bad)
	}
}
