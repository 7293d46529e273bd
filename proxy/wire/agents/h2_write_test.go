package agents

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/http2"
)

// written is a connection that keeps what is written.
type written struct {
	net.Conn
	b bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) { return w.b.Write(p) }

// TestTheEndOfAHalfComesBehindWhatTheLibraryStillKeeps: its head, and data.
func TestTheEndOfAHalfComesBehindWhatTheLibraryStillKeeps(t *testing.T) {
	const stream = 1
	head := append(appendFrameHead(nil, h2Frame{2, http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream}), "hh"...)
	piece := append(appendFrameHead(nil, h2Frame{3, http2.FrameData, 0, stream}), "ddd"...)
	other := append(appendFrameHead(nil, h2Frame{1, http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream + 2}), "h"...)
	for _, c := range []struct {
		name  string
		after int64    // bytes of data behind which it ends
		ahead [][]byte // what has gone out by then
		later [][]byte
	}{
		{"all has gone out", 3, [][]byte{head, piece}, nil},
		{"all is kept", 3, nil, [][]byte{other, head, piece}},
		{"the data are kept", 3, [][]byte{head}, [][]byte{piece, other}},
		{"a head without data is kept", 0, nil, [][]byte{head}},
		{"a head without data has gone out", 0, [][]byte{head}, [][]byte{other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &written{}
			a := &h2Conn{Conn: conn}
			a.openHalf(stream)
			for _, p := range c.ahead {
				_, _ = a.Write(p)
			}
			if err := a.endHalf(stream, c.after); err != nil {
				t.Fatal(err)
			}
			for _, p := range c.later {
				if n, err := a.Write(p); n != len(p) || err != nil {
					t.Errorf("%d of %d, %v", n, len(p), err)
				}
			}
			if !a.closeHalf(stream) {
				t.Error("it has not ended")
			}
			var got []string
			fr := http2.NewFramer(nil, &conn.b)
			for {
				f, err := fr.ReadFrame()
				if err != nil {
					break
				}
				if h := f.Header(); h.StreamID == stream {
					got = append(got, fmt.Sprint(h.Type, h.Length))
				}
			}
			want := "[HEADERS 2 DATA 3 DATA 0]"
			if c.after == 0 {
				want = "[HEADERS 2 DATA 0]"
			}
			if fmt.Sprint(got) != want {
				t.Errorf("%v, want %s", got, want)
			}
		})
	}
}
