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

// flowWindow is the flow-control window that the agent grants per stream and for
// the connection. It is large, so that the agent sends hardly any WINDOW_UPDATE
// frames.
const flowWindow = 1 << 28

// h2 speaks HTTP/2 on one connection, one stream after the other.
type h2 struct {
	conn       *tls.Conn
	framer     *http2.Framer
	fields     []hpack.HeaderField
	encoder    *hpack.Encoder
	block      bytes.Buffer // written by encoder
	nextStream uint32
	consumed   uint32 // bytes of the connection's window that were not granted again yet
}

func newH2(conn *tls.Conn, in *bufio.Reader, a *Agent) (*h2, error) {
	h := &h2{conn: conn, framer: http2.NewFramer(conn, in), nextStream: 1}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.framer.SetReuseFrames()
	h.encoder = hpack.NewEncoder(&h.block)
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: a.authority()},
		{Name: ":path", Value: "/page/42"},
		{Name: "user-agent", Value: userAgent},
		{Name: "accept", Value: "text/html"},
		{Name: "accept-language", Value: "en"},
		{Name: "cookie", Value: a.Cookies},
	} {
		if field.Value != "" {
			h.fields = append(h.fields, field)
		}
	}

	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	err := h.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: flowWindow},
	)
	if err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	if err := h.framer.WriteWindowUpdate(0, flowWindow); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	return h, nil
}

func (h *h2) getPage() error {
	h.block.Reset()
	for _, field := range h.fields {
		if err := h.encoder.WriteField(field); err != nil {
			return fmt.Errorf("small page: %w", err)
		}
	}
	stream := h.nextStream
	h.nextStream += 2
	err := h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID:      stream,
		BlockFragment: h.block.Bytes(),
		EndStream:     true,
		EndHeaders:    true,
	})
	if err != nil {
		return fmt.Errorf("small page: %w", err)
	}
	return h.readResponse(stream)
}

// readResponse reads frames until the stream ends, and fails if the response is
// not a small page.
func (h *h2) readResponse(stream uint32) error {
	status, length := "", 0
	for {
		frame, err := h.framer.ReadFrame()
		if err != nil {
			return fmt.Errorf("small page: %w", err)
		}

		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			// Interim responses come first (RFC 9113, Section 8.1), trailers last.
			if f.StreamID == stream && (status == "" || status[0] == '1') {
				status = f.PseudoValue("status")
			}
		case *http2.DataFrame:
			if f.StreamID == stream {
				length += len(f.Data())
			}
			err = h.grantWindow(f.Length)
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = h.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = h.framer.WritePing(true, f.Data)
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				err = fmt.Errorf("the stream was reset: %v", f.ErrCode)
			}
		case *http2.GoAwayFrame:
			err = fmt.Errorf("the server ended the connection: %v %s", f.ErrCode, f.DebugData())
		}
		if err != nil {
			return fmt.Errorf("small page: %w", err)
		}

		if frame.Header().StreamID == stream && endsStream(frame) {
			if status != "200" || length != 1024 {
				return fmt.Errorf("small page: status %s and %d bytes, not 200 and 1024", status, length)
			}
			return nil
		}
	}
}

func endsStream(frame http2.Frame) bool {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return f.StreamEnded()
	case *http2.DataFrame:
		return f.StreamEnded()
	}
	return false
}

// grantWindow counts n consumed bytes, and renews the connection's window when
// half of it is used. The windows of streams are never exhausted.
func (h *h2) grantWindow(n uint32) error {
	h.consumed += n
	if h.consumed < flowWindow/2 {
		return nil
	}
	n = h.consumed
	h.consumed = 0
	return h.framer.WriteWindowUpdate(0, n)
}
