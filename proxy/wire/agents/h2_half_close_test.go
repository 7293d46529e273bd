package agents

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"golang.org/x/net/http2"
)

// TestEndOfHalfFollowsWhatTheLibraryBuffers shows that END_STREAM comes after the
// head and the data of its stream, also if the library writes them later.
func TestEndOfHalfFollowsWhatTheLibraryBuffers(t *testing.T) {
	const stream = 1
	head := rawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream, "hh")
	data := rawFrame(http2.FrameData, 0, stream, "ddd")
	other := rawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream+2, "h")
	for _, c := range []struct {
		name     string
		endAfter int64    // bytes of data after which the direction ends
		before   [][]byte // what the library has written by then
		after    [][]byte
	}{
		{"all is written", 3, [][]byte{head, data}, nil},
		{"all is buffered", 3, nil, [][]byte{other, head, data}},
		{"the data is buffered", 3, [][]byte{head}, [][]byte{data, other}},
		{"a head without data is buffered", 0, nil, [][]byte{head}},
		{"a head without data is written", 0, [][]byte{head}, [][]byte{other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorded := &recordingConn{}
			conn := &h2Conn{Conn: recorded}
			conn.openHalf(stream)
			writeAll(t, conn, c.before)
			if err := conn.endHalf(stream, c.endAfter); err != nil {
				t.Fatal(err)
			}
			writeAll(t, conn, c.after)
			if !conn.closeHalf(stream) {
				t.Error("END_STREAM was not sent")
			}

			want := []string{"HEADERS 2", "DATA 3", "DATA 0"}
			if c.endAfter == 0 {
				want = []string{"HEADERS 2", "DATA 0"}
			}
			if got := framesOfStream(t, recorded.written, stream); !slices.Equal(got, want) {
				t.Errorf("frames %v were written, want %v", got, want)
			}
		})
	}
}

// rawFrame returns a frame as bytes.
func rawFrame(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) []byte {
	head := frameHead{length: len(payload), kind: kind, flags: flags, stream: stream}
	return append(appendFrameHead(nil, head), payload...)
}

func writeAll(t *testing.T, w io.Writer, pieces [][]byte) {
	t.Helper()
	for _, p := range pieces {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Errorf("Write returned %d, %v for %d bytes", n, err, len(p))
		}
	}
}

// framesOfStream returns type and length of the frames of one stream in raw.
func framesOfStream(t *testing.T, raw []byte, stream uint32) (frames []string) {
	t.Helper()
	framer := http2.NewFramer(io.Discard, bytes.NewReader(raw))
	for {
		f, err := framer.ReadFrame()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatalf("reading back what was written: %v", err)
		}
		if h := f.Header(); h.StreamID == stream {
			frames = append(frames, fmt.Sprint(h.Type, " ", h.Length))
		}
	}
}
