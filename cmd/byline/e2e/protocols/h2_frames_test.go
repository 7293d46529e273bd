package protocols

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is an agent that speaks HTTP/2 frame by frame.
type frames struct {
	*http2.Framer
	c    *cell
	conn net.Conn
}

// frames opens a connection and says the preface. What the agent reads is not
// acknowledged: it gives no more credit than it began with.
func (c *cell) frames() *frames {
	c.t.Helper()
	conn := c.secured()
	f := &frames{http2.NewFramer(conn, conn), c, conn}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		c.t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		c.t.Fatal(err)
	}
	return f
}

// block encodes a request's head, each one for itself.
func (f *frames) block(method, path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for _, h := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", f.c.host}, {":path", "/" + f.c.root + path}, {"cookie", "sid=" + f.c.lent.Value}} {
		_ = e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1], Sensitive: true})
	}
	return b.Bytes()
}

// asks begins a stream. over: with nothing to come behind the head.
func (f *frames) asks(stream uint32, method, path string, over bool) {
	f.c.t.Helper()
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: over, BlockFragment: f.block(method, path)}); err != nil {
		f.c.t.Fatal(err)
	}
}

// until reads frames until look has seen enough, or the connection ends. It says
// which.
func (f *frames) until(look func(http2.Frame) bool) (seen bool) {
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				f.c.t.Errorf("nothing was read in %v", patience)
			}
			return false
		}
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			_ = f.WriteSettingsAck()
		}
		if look(frame) {
			return true
		}
	}
}
