package agents

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
)

// windowAgent writes frames by hand and follows the windows that the server gives.
type windowAgent struct {
	*http2.Framer
	initial int         // window of a new stream
	updates map[int]int // sum of the WINDOW_UPDATEs by stream
	status  map[int]string
	ended   bool // GOAWAY or the end of the connection
}

// newWindowAgent opens streams 1 and 3, each with a body that is still to come.
func newWindowAgent(t *testing.T, addr string) *windowAgent {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	a := &windowAgent{Framer: http2.NewFramer(conn, conn), updates: map[int]int{}, status: map[int]string{}}
	a.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	_ = a.WriteSettings()

	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, stream := range []uint32{1, 3} {
		block.Reset()
		for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/"}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	}
	return a
}

// readUntil reads frames until done, or until the connection ends.
func (a *windowAgent) readUntil(done func() bool) {
	for !done() && !a.ended {
		f, err := a.ReadFrame()
		if err != nil {
			a.ended = true
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				a.initial = int(v)
			}
		case *http2.WindowUpdateFrame:
			a.updates[int(f.StreamID)] += int(f.Increment)
		case *http2.MetaHeadersFrame:
			a.status[int(f.StreamID)] = f.PseudoValue("status")
		case *http2.GoAwayFrame:
			a.ended = true
		}
	}
}

func (a *windowAgent) writeData(stream uint32, n int, end bool) {
	for ; n > 0; n -= maxFrame {
		_ = a.WriteData(stream, end && n <= maxFrame, make([]byte, min(n, maxFrame)))
	}
}

// TestI10UnreadBodiesHaveASmallWindow has one stream's body be read, and the other's
// not. An agent that sends more than the unread one allows loses its connection.
func TestI10UnreadBodiesHaveASmallWindow(t *testing.T) {
	read := make(chan bool) // closed when the body of stream 1 may be read
	callbacks := wire.Callbacks{
		Exchange: func(ctx context.Context, in *wire.Request) *wire.Response {
			select {
			case <-read:
			case <-ctx.Done():
				return nil
			}
			n, err := io.Copy(io.Discard, in.Body)
			if err != nil {
				return nil
			}
			return textResponse(200, "read "+string(rune('0'+n>>20)))
		},
		Malformed: func(context.Context, *wire.Malformed) *wire.Response { return textResponse(400, "") },
	}
	addr := serveTLS(t, "h2", callbacks)

	t.Run("within it", func(t *testing.T) {
		a := newWindowAgent(t, addr)
		a.readUntil(func() bool { return a.initial > 0 })
		if a.initial != firstWindow {
			t.Fatalf("a stream begins with a window of %d, want %d", a.initial, firstWindow)
		}
		a.writeData(1, firstWindow, false)
		a.writeData(3, firstWindow, false)
		_ = a.WritePing(false, [8]byte{1})
		if a.updates[1]+a.updates[3] != 0 {
			t.Errorf("the window of an unread body was widened: %v", a.updates)
		}

		close(read)
		sent := map[uint32]int{1: firstWindow, 3: firstWindow}
		for _, stream := range []uint32{1, 3} {
			for sent[stream] < 1<<20 {
				a.readUntil(func() bool { return a.initial+a.updates[int(stream)] > sent[stream] })
				n := min(a.initial+a.updates[int(stream)]-sent[stream], 1<<20-sent[stream])
				if a.ended || n <= 0 {
					t.Fatalf("the connection ended after %d bytes of stream %d", sent[stream], stream)
				}
				sent[stream] += n
				a.writeData(stream, n, sent[stream] == 1<<20)
			}
		}
		a.readUntil(func() bool { return a.status[1] != "" && a.status[3] != "" })
		if a.status[1] != "200" || a.status[3] != "200" {
			t.Errorf("the answers are %v, want 200 for both", a.status)
		}
	})

	t.Run("beyond it", func(t *testing.T) {
		read = make(chan bool)
		a := newWindowAgent(t, addr)
		a.writeData(1, 2*firstWindow, false)
		a.readUntil(func() bool { return false })
		if !a.ended {
			t.Error("the connection did not end")
		}
	})
}
