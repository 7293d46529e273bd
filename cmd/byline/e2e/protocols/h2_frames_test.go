package protocols

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frameAgent is an agent that writes HTTP/2 frames one by one.
type frameAgent struct {
	*http2.Framer
	c    *cell
	conn net.Conn
}

// newFrameAgent opens a connection and sends the preface. It never opens a flow
// control window further than it is at the start.
func (c *cell) newFrameAgent() *frameAgent {
	c.t.Helper()
	conn := c.openTLS()
	f := &frameAgent{http2.NewFramer(conn, conn), c, conn}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		c.t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		c.t.Fatal(err)
	}
	return f
}

// encodeHead encodes the head of a request without the dynamic table, so that
// each block stands alone.
func (f *frameAgent) encodeHead(method, path string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for _, field := range [][2]string{
		{":method", method}, {":scheme", "https"}, {":authority", f.c.host}, {":path", "/" + f.c.root + path},
		{"cookie", "sid=" + f.c.borrowed.Value},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true})
	}
	return block.Bytes()
}

// writeRequest writes a request without a body.
func (f *frameAgent) writeRequest(stream uint32, method, path string) {
	f.c.t.Helper()
	err := f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, EndHeaders: true, EndStream: true, BlockFragment: f.encodeHead(method, path),
	})
	if err != nil {
		f.c.t.Fatal(err)
	}
}

// readUntil reads frames until match returns true, or the connection ends. It
// reports whether match returned true.
func (f *frameAgent) readUntil(match func(http2.Frame) bool) bool {
	_ = f.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				f.c.t.Errorf("no frame within %v", timeout)
			}
			return false
		}
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			_ = f.WriteSettingsAck()
		}
		if match(frame) {
			return true
		}
	}
}

// readToEnd reads frames until the connection ends.
func (f *frameAgent) readToEnd() {
	f.readUntil(func(http2.Frame) bool { return false })
}

// endsStream reports whether frame is the last DATA frame of a stream.
func endsStream(frame http2.Frame) bool {
	d, ok := frame.(*http2.DataFrame)
	return ok && d.StreamEnded()
}
