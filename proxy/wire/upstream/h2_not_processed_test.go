package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// disowningOrigin speaks HTTP/2. It ends the first stream, after it has read the whole
// request, with the frames that end writes, and answers all others.
type disowningOrigin struct {
	net.Listener
	end func(f *http2.Framer, stream uint32)

	mu     sync.Mutex
	bodies []string
}

func newDisowningOrigin(t *testing.T, end func(*http2.Framer, uint32)) (*disowningOrigin, *Target) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: testTLS().TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	o := &disowningOrigin{Listener: ln, end: end}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { o.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); serving.Wait() })

	return o, &Target{
		Scheme: "https", Authority: "example.com", Addr: ln.Addr().String(), Protocol: "h2",
		TLS: &tls.Config{RootCAs: testTLS().Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
	}
}

func (o *disowningOrigin) serve(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	_ = f.WriteSettings()

	var body strings.Builder
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		data, isData := frame.(*http2.DataFrame)
		if isData {
			body.Write(data.Data())
		}
		if !isData || !data.StreamEnded() {
			continue
		}

		o.mu.Lock()
		o.bodies = append(o.bodies, body.String())
		first := len(o.bodies) == 1
		o.mu.Unlock()
		body.Reset()
		if first {
			o.end(f, data.StreamID)
			continue
		}
		// :status 204 of the static table (RFC 7541 appendix A).
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: data.StreamID, BlockFragment: []byte{0x89}, EndStream: true, EndHeaders: true})
	}
}

// TestBodyIsSentAgainOnlyIfItWasNotProcessed ends the stream of a POST in ways that say
// that the application has not processed it, and in ways that do not.
func TestBodyIsSentAgainOnlyIfItWasNotProcessed(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(f *http2.Framer, stream uint32)
		want int // how often the body arrives
	}{
		{"GOAWAY that disowns the stream", func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }, 2},
		{"REFUSED_STREAM", func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeRefusedStream) }, 2},
		{"PROTOCOL_ERROR", func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeProtocol) }, 1},
		{"INTERNAL_ERROR", func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeInternal) }, 1},
		{"GOAWAY with INTERNAL_ERROR after the stream", func(f *http2.Framer, s uint32) {
			_ = f.WriteGoAway(s, http2.ErrCodeInternal, nil)
			_ = f.WriteRSTStream(s, http2.ErrCodeCancel)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, target := newDisowningOrigin(t, c.end)
			pool := newPool(t, wire.Config{})
			const sent = "title=new&text=words"
			resp, err := pool.RoundTrip(context.Background(), target, &wire.Request{
				Head: wire.Head{Proto: "HTTP/2.0", Method: http.MethodPost, Scheme: "https", Authority: "example.com", Path: "/edit", Length: int64(len(sent))},
				Body: bytes.NewReader([]byte(sent)),
			})
			if resp != nil && resp.Body != nil {
				resp.Body.Close()
			}

			o.mu.Lock()
			defer o.mu.Unlock()
			if len(o.bodies) != c.want || (err == nil) != (c.want == 2) {
				t.Fatalf("after %s the body arrived %d times, want %d; error %v", c.name, len(o.bodies), c.want, err)
			}
			for _, body := range o.bodies {
				if body != sent {
					t.Errorf("body %q arrived, want %q", body, sent)
				}
			}
		})
	}
}
