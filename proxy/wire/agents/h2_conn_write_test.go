package agents

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// libraryFrames returns frames as the library writes them: settings, a header block
// in two frames, data, a reset, and a GOAWAY.
func libraryFrames(t testing.TB) []byte {
	var b bytes.Buffer
	framer := http2.NewFramer(&b, nil)
	for _, err := range []error{
		framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}}),
		framer.WriteContinuation(1, true, []byte{0x8a}),
		framer.WriteData(1, false, bytes.Repeat([]byte("x"), 3000)),
		framer.WriteData(3, false, nil),
		framer.WriteRSTStream(3, http2.ErrCodeProtocol),
		framer.WriteData(1, false, []byte("more")),
		framer.WriteGoAway(1, http2.ErrCodeNo, []byte("bye")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestWriteFollowsFramesHoweverTheyAreCut shows that Write understands the same
// frames in one write and in many, and that it inserts its own frame between two
// frames, never within one or within a header block.
func TestWriteFollowsFramesHoweverTheyAreCut(t *testing.T) {
	const stream, dataBytes = 1, 3004
	all := libraryFrames(t)
	for _, size := range []int{1, 2, 7, 9, 10, 13, 100, 4096} {
		var refused []wire.MalformedCode
		callbacks := wire.Callbacks{Malformed: func(_ context.Context, m *wire.Malformed) *wire.Response {
			refused = append(refused, m.Code)
			return nil
		}}
		recorded := &recordingConn{}
		conn := NewServer(wire.Config{}).newH2Conn(t.Context(), recorded, callbacks)

		conn.openHalf(stream)
		if err := conn.endHalf(stream, dataBytes); err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(all, size) {
			if n, err := conn.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("pieces of %d bytes: Write returned %d, %v", size, n, err)
			}
		}

		want := []http2.FrameType{
			http2.FrameSettings, http2.FrameHeaders, http2.FrameContinuation, http2.FrameData, http2.FrameData,
			http2.FrameRSTStream, http2.FrameData, http2.FrameData, http2.FrameGoAway,
		}
		if got := readFrameTypes(t, recorded.written, stream); !slices.Equal(got, want) {
			t.Errorf("pieces of %d bytes: frames %v, want %v", size, got, want)
		}
		if !slices.Equal(refused, []wire.MalformedCode{wire.CodeAmbiguous}) {
			t.Errorf("pieces of %d bytes: recorded %v, want one %v for RST_STREAM", size, refused, wire.CodeAmbiguous)
		}
		if !conn.goAway {
			t.Errorf("pieces of %d bytes: GOAWAY was not noticed", size)
		}
		if !conn.closeHalf(stream) {
			t.Errorf("pieces of %d bytes: END_STREAM was not sent", size)
		}
	}
}

// readFrameTypes returns the types of the frames in raw. END_STREAM must be in an
// empty frame of the given stream.
func readFrameTypes(t *testing.T, raw []byte, stream uint32) (types []http2.FrameType) {
	t.Helper()
	framer := http2.NewFramer(io.Discard, iotest.OneByteReader(bytes.NewReader(raw)))
	for {
		f, err := framer.ReadFrame()
		if err == io.EOF {
			return types
		}
		if err != nil {
			t.Fatalf("reading back what was written: %v", err)
		}
		h := f.Header()
		if h.Type == http2.FrameData && h.Flags.Has(http2.FlagDataEndStream) && (h.StreamID != stream || h.Length != 0) {
			t.Errorf("END_STREAM is in a frame of stream %d with %d bytes", h.StreamID, h.Length)
		}
		types = append(types, h.Type)
	}
}
