package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// originStream is a request to an application that answers frame by frame.
type originStream struct {
	*http2.Framer
	conn net.Conn
	id   uint32
}

// writeHead writes a head. fields are names and values in turn.
func (s *originStream) writeHead(end bool, fields ...string) {
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, EndHeaders: true, EndStream: end, BlockFragment: encodeFields(fields...)})
}

// writeUnfinishedHead writes the beginning of a head.
func (s *originStream) writeUnfinishedHead() {
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: encodeFields(":status", "200")})
}

// encodeFields encodes fields without the dynamic table, so that each block
// stands alone.
func encodeFields(fields ...string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true})
	}
	return block.Bytes()
}

// upstreamFaultsH2 are faults of applications that speak HTTP/2, see
// upstreamFault.
var upstreamFaultsH2 = []struct {
	name      string
	do        func(*originStream)
	want      verdict
	brokenOff bool
}{
	{name: "does not answer", do: func(*originStream) {}, want: gatewayTimeout},
	{name: "resets the stream", do: func(s *originStream) { _ = s.WriteRSTStream(s.id, http2.ErrCodeInternal) }, want: badGateway},
	{name: "closes the connection", do: func(s *originStream) { s.conn.Close() }, want: badGateway},
	{name: "closes the connection after a GOAWAY with an error", do: func(s *originStream) {
		_ = s.WriteGoAway(s.id, http2.ErrCodeInternal, nil)
		s.conn.Close()
	}, want: badGateway},
	{name: "speaks HTTP/1.1", do: func(s *originStream) { io.WriteString(s.conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }, want: badGateway},
	{name: "sends no status", do: func(s *originStream) { s.writeHead(true, "x", "y") }, want: badGateway},
	{name: "sends a line break in a field", do: func(s *originStream) { s.writeHead(true, ":status", "200", "x", "a\r\nb: c") }, want: badGateway},
	{name: "sends too many fields", do: func(s *originStream) {
		fields := []string{":status", "200"}
		for range 50 {
			fields = append(fields, "x", "y")
		}
		s.writeHead(true, fields...)
	}, want: badGateway},
	{name: "sends an endless head", do: func(s *originStream) {
		s.writeUnfinishedHead()
		more := encodeFields("x", strings.Repeat("y", 8<<10))
		for range 4000 {
			if s.WriteContinuation(s.id, false, more) != nil {
				return
			}
		}
	}, want: badGateway},
	{name: "answers a ping within a head", do: (*originStream).writeUnfinishedHead, want: badGateway},
	{name: "resets the stream in the body", do: func(s *originStream) {
		s.writeHead(false, ":status", "200", "content-length", "200000")
		_ = s.WriteData(s.id, false, []byte("ok"))
		_ = s.WriteRSTStream(s.id, http2.ErrCodeInternal)
	}, want: okAnswer, brokenOff: true},
	{name: "ends the body before its length", do: func(s *originStream) {
		s.writeHead(false, ":status", "200", "content-length", "200000")
		_ = s.WriteData(s.id, true, []byte("ok"))
	}, want: okAnswer, brokenOff: true},
	{name: "sends more than the length, which the agent gets", do: func(s *originStream) {
		s.writeHead(false, ":status", "200", "content-length", "2")
		_ = s.WriteData(s.id, true, []byte("ok and more"))
	}, want: okAnswer},
	{name: "stops in the body", do: func(s *originStream) {
		s.writeHead(false, ":status", "200")
		_ = s.WriteData(s.id, false, []byte("ok"))
	}, want: okAnswer, brokenOff: true},
}

// startOriginH2 starts an application that speaks HTTP/2 with prior knowledge. It
// answers /page/N with fault N.
func startOriginH2(t testing.TB) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveOriginH2(conn)
		}
	}()
	return ln.Addr()
}

func serveOriginH2(conn net.Conn) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.AllowIllegalWrites = true
	_ = framer.WriteSettings()

	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = framer.WritePing(true, frame.Data)
			}
		case *http2.MetaHeadersFrame:
			answerOriginH2(&originStream{Framer: framer, conn: conn, id: frame.StreamID}, frame.PseudoValue("path"))
		}
	}
}

func answerOriginH2(s *originStream, path string) {
	n := -1
	_, _ = fmt.Sscanf(path, "/page/%d", &n)
	switch {
	case path == "/login":
		s.writeHead(true, ":status", "302", "location", "/home", "set-cookie", "sid="+canarySession+"; Path=/")
	case n >= 0 && n < len(upstreamFaultsH2):
		upstreamFaultsH2[n].do(s)
	default:
		s.writeHead(false, ":status", "200")
		_ = s.WriteData(s.id, true, []byte("ok"))
	}
}

// TestI10UpstreamFaultsH2 is TestI10UpstreamFaults for applications that speak
// HTTP/2.
func TestI10UpstreamFaultsH2(t *testing.T) {
	config := shortTimeouts()
	config.ResponseHead *= 3 // the ping within a head, which BodyStall sends, comes first
	h := startServerAt(t, startOriginH2(t), "h2", config)
	h.checkWorks(t)
	for i, f := range upstreamFaultsH2 {
		for _, kind := range []string{"tls", "h2"} {
			t.Run(f.name+"/"+kind, func(t *testing.T) {
				h.checkFault(t, kind, fmt.Sprintf("/page/%d", i), f.want, f.brokenOff)
				h.checkWorks(t)
			})
		}
	}
}
