package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// window is what the agent grants the proxy at once, per stream and for the
// connection: more than a run of small pages needs between two renewals.
const window = 1 << 28

// h2 speaks HTTP/2 on one connection, one stream after the other.
type h2 struct {
	conn   *tls.Conn
	frames *http2.Framer
	fields []hpack.HeaderField
	pack   *hpack.Encoder
	block  bytes.Buffer
	stream uint32
	owed   uint32 // bytes of the connection's window that were used and not granted again
}

func newH2(c *tls.Conn, in *bufio.Reader, a *Agent) (*h2, error) {
	h := &h2{conn: c, frames: http2.NewFramer(c, in), stream: 1}
	h.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.frames.SetReuseFrames()
	h.pack = hpack.NewEncoder(&h.block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", a.authority()}, {":path", "/page/42"},
		{"user-agent", userAgent}, {"accept", "text/html"}, {"accept-language", "en"}, {"cookie", a.Cookies}} {
		if f[1] != "" {
			h.fields = append(h.fields, hpack.HeaderField{Name: f[0], Value: f[1]})
		}
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	if err := h.frames.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	if err := h.frames.WriteWindowUpdate(0, window); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	return h, nil
}

func (h *h2) small() error {
	h.block.Reset()
	for _, f := range h.fields {
		if err := h.pack.WriteField(f); err != nil {
			return fmt.Errorf("small page: %w", err)
		}
	}
	id := h.stream
	h.stream += 2
	err := h.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.block.Bytes(), EndStream: true, EndHeaders: true})
	if err != nil {
		return fmt.Errorf("small page: %w", err)
	}
	return h.answer(id)
}

// answer reads frames up to the end of the stream.
func (h *h2) answer(id uint32) error {
	status, length := "", 0
	for {
		f, err := h.frames.ReadFrame()
		if err != nil {
			return fmt.Errorf("small page: %w", err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == id && (status == "" || status[0] == '1') { // RFC 9113 section 8.1: interim answers first
				status = f.PseudoValue("status")
			}
		case *http2.DataFrame:
			if f.StreamID == id {
				length += len(f.Data())
			}
			err = h.grant(f.Length)
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = h.frames.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = h.frames.WritePing(true, f.Data)
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				err = fmt.Errorf("the stream was reset: %v", f.ErrCode)
			}
		case *http2.GoAwayFrame:
			err = fmt.Errorf("the connection was ended: %v %s", f.ErrCode, f.DebugData())
		}
		if err != nil {
			return fmt.Errorf("small page: %w", err)
		}
		if head := f.Header(); head.StreamID == id && ends(f) {
			if status != "200" || length != 1024 {
				return fmt.Errorf("small page: status %s and %d bytes, not 200 and 1024", status, length)
			}
			return nil
		}
	}
}

func ends(f http2.Frame) bool {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return f.StreamEnded()
	case *http2.DataFrame:
		return f.StreamEnded()
	}
	return false
}

// grant renews the connection's window when half of it is used.
func (h *h2) grant(n uint32) error {
	if h.owed += n; h.owed < window/2 {
		return nil
	}
	n, h.owed = h.owed, 0
	return h.frames.WriteWindowUpdate(0, n)
}
