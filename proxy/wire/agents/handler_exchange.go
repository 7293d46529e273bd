package agents

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// handlerExchange is an exchange whose response is written through an
// http.ResponseWriter: a stream of HTTP/2, or a request that net/http has read.
type handlerExchange struct {
	server    *Server
	callbacks wire.Callbacks
	w         http.ResponseWriter
	r         *http.Request
	scheme    string
	method    string

	conn   *h2Conn // nil for a request that net/http has read
	stream uint32

	body        *boundedBody // nil without one
	joinedBytes int64        // bytes from the agent after it has switched protocols
	writeTimer  stallTimer   // bounds single writes
	buffered    int          // bytes of the body, as long as the library keeps them
}

// serve has the request answered and writes the response. If bad is not nil, the
// request is malformed and in is nil.
func (x *handlerExchange) serve(in *wire.Request, bad *wire.Malformed) {
	ctl := http.NewResponseController(x.w)
	x.writeTimer = stallTimer{limit: x.server.cfg.BodyStall, setDeadline: ctl.SetWriteDeadline}
	defer x.writeTimer.disable()

	ctx := x.r.Context()
	if bad != nil {
		x.writeResponse(x.callbacks.Malformed(ctx, bad))
		return
	}

	in.Scheme, in.Interim = x.scheme, x
	if in.Body != nil {
		x.body = newBoundedBody(in.Body, ctl, x.server.cfg.BodyStall)
		defer x.body.timer.disable()
		in.Body = x.body
		if x.conn != nil && (in.Length < 0 || in.Length > firstWindow) {
			x.body.begin = func() { x.conn.widenWindow(x.stream) }
		}
	}
	x.writeResponse(x.callbacks.Exchange(ctx, in))
}

// errAbandoned is the end of an exchange whose code panicked.
var errAbandoned = errors.New("wire: the exchange was abandoned")

// writeResponse writes resp and calls its Done. A response that breaks off panics
// with http.ErrAbortHandler, which resets the stream or closes the connection.
func (x *handlerExchange) writeResponse(resp *wire.Response) {
	if resp == nil {
		panic(http.ErrAbortHandler)
	}
	if resp.Switched != nil && x.conn == nil {
		x.hijackForWebSocket(resp)
		return
	}

	var sent int64
	err := errAbandoned
	defer func() { finishResponse(resp, sent, x.bytesReceived(), err) }()

	if resp.Switched != nil {
		var endSent bool
		if sent, x.joinedBytes, endSent, err = x.joinStreams(resp); endSent {
			panic(http.ErrAbortHandler) // the library must not end the stream a second time
		}
	} else {
		sent, err = x.writeHeadAndBody(resp)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x.writeTrailers(resp)
}

// bytesReceived returns the number of body bytes that were read from the agent.
func (x *handlerExchange) bytesReceived() int64 {
	if x.body == nil {
		return x.joinedBytes
	}
	return x.body.count.Load()
}

func (x *handlerExchange) writeHeadAndBody(resp *wire.Response) (sent int64, err error) {
	if err := x.writeHead(resp); err != nil {
		return 0, err
	}
	if resp.Body == nil || x.method == http.MethodHead || !h1.StatusAllowsBody(resp.Status) {
		return 0, nil
	}
	return x.writeBody(resp)
}

func (x *handlerExchange) writeHead(resp *wire.Response) error {
	if resp.Status < 200 || resp.Status > 999 {
		return errors.New("wire: the response has no status")
	}
	h := x.w.Header()
	if err := h1.AddToHeader(h, resp.Fields); err != nil {
		return err
	}

	// The library adds these fields unless they are present with the value nil.
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	if resp.Length >= 0 && resp.Status != http.StatusNoContent && (resp.Length > 0 || resp.Status != http.StatusNotModified) {
		h["Content-Length"] = []string{strconv.FormatInt(resp.Length, 10)}
	}
	x.w.WriteHeader(resp.Status)
	return nil
}

// writeBody writes the body. If it is long or of unknown length, each read of it is
// flushed, so that a source that pauses does not leave anything in our buffers.
func (x *handlerExchange) writeBody(resp *wire.Response) (sent int64, err error) {
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	ctl := http.NewResponseController(x.w)
	flush := resp.Length < 0 || resp.Length > int64(len(buf))

	if resp.Length < 0 {
		if err := ctl.Flush(); err != nil {
			return 0, err
		}
	}
	for resp.Length < 0 || sent < resp.Length {
		space := buf[:]
		if left := resp.Length - sent; resp.Length >= 0 && left < int64(len(space)) {
			space = space[:left]
		}
		n, err := resp.Body.Read(space)
		if n > 0 {
			more := err == nil
			if err := x.writePiece(ctl, space[:n], flush && more); err != nil {
				return sent, err
			}
			sent += int64(n)
		}

		switch {
		case err == io.EOF && resp.Length >= 0 && sent < resp.Length:
			return sent, errBodyTooShort
		case err == io.EOF:
			return sent, nil
		case err != nil:
			return sent, err
		}
	}
	if resp.Trailers != nil {
		_, _ = resp.Body.Read(buf[:1]) // trailers are known only after io.EOF
	}
	return sent, nil
}

// libraryBuffer is how many bytes of a body x/net/http2 and net/http keep before they
// write any.
const libraryBuffer = 2 << 10

// writePiece writes p. It waits for the agent to open its window, but not longer
// than writeTimer allows. A short body does not wait here: the library writes it when
// the exchange has ended.
func (x *handlerExchange) writePiece(ctl *http.ResponseController, p []byte, flush bool) error {
	x.buffered += len(p)
	if !flush && x.buffered < libraryBuffer {
		_, err := x.w.Write(p)
		return err
	}

	x.writeTimer.start()
	defer x.writeTimer.stop()

	_, err := x.w.Write(p)
	if err == nil && flush {
		err = ctl.Flush()
	}
	return err
}

// writeTrailers passes the trailer fields to the library.
func (x *handlerExchange) writeTrailers(resp *wire.Response) {
	if resp.Trailers == nil {
		return
	}
	for _, f := range resp.Trailers() {
		if !h1.ForbiddenInTrailer(f.Name) && h1.CheckField(f.Name, f.Value) == nil {
			x.w.Header().Add(http.TrailerPrefix+http.CanonicalHeaderKey(f.Name), f.Value)
		}
	}
}

// Interim writes an interim response (RFC 9110 section 15.2).
func (x *handlerExchange) Interim(status int, fields []wire.Field) {
	h := x.w.Header()
	defer clear(h)
	if h1.AddToHeader(h, fields) == nil {
		x.w.WriteHeader(status)
	}
}
