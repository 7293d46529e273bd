package agents

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"testing/iotest"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// framesOf are some frames as bytes: a body, a block in two frames, a reset, an end.
func framesOf(t testing.TB) []byte {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	for _, err := range []error{
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}),
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}}),
		fr.WriteContinuation(1, true, []byte{0x8a}),
		fr.WriteData(1, false, bytes.Repeat([]byte("x"), 3000)),
		fr.WriteData(3, false, nil),
		fr.WriteRSTStream(3, http2.ErrCodeProtocol),
		fr.WriteData(1, false, []byte("more")),
		fr.WriteGoAway(1, http2.ErrCodeNo, []byte("bye")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestFramesAreFollowedHoweverTheyAreCut: the same heads and codes come out of one
// write and of many, and what is put in between stands between two frames, never
// within one or within a header block.
func TestFramesAreFollowedHoweverTheyAreCut(t *testing.T) {
	all := framesOf(t)
	for _, size := range []int{1, 2, 7, 9, 10, 13, 100, 4096} {
		conn, theirs := net.Pipe()
		got := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(conn)
			got <- b
		}()
		var refused []string
		c := NewServer(wire.Config{}).newAgent2(t.Context(), theirs, wire.Callbacks{Malformed: func(_ context.Context, m *wire.Malformed) *wire.Response {
			refused = append(refused, string(m.Code))
			return nil
		}})
		c.openHalf(1)
		if err := c.endHalf(1, 3004); err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(all, size) {
			if n, err := c.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		c.Close()
		fr := http2.NewFramer(io.Discard, iotest.OneByteReader(bytes.NewReader(<-got)))
		var kinds []http2.FrameType
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				if err != io.EOF {
					t.Errorf("cut to %d: %v", size, err)
				}
				break
			}
			if f.Header().Flags.Has(http2.FlagDataEndStream) && f.Header().Type == http2.FrameData && (f.Header().StreamID != 1 || f.Header().Length != 0) {
				t.Errorf("cut to %d: the end of stream %d, %d bytes", size, f.Header().StreamID, f.Header().Length)
			}
			kinds = append(kinds, f.Header().Type)
		}
		want := []http2.FrameType{http2.FrameSettings, http2.FrameHeaders, http2.FrameContinuation, http2.FrameData, http2.FrameData,
			http2.FrameRSTStream, http2.FrameData, http2.FrameData, http2.FrameGoAway}
		if !slices.Equal(kinds, want) || !slices.Equal(refused, []string{"ambiguous_request"}) || !c.farewell || !c.closeHalf(1) {
			t.Errorf("cut to %d: %v, refused %v", size, kinds, refused)
		}
	}
}

// TestABodyIsAsLongAsItSaid: its last bytes come once it is known that none follow.
func TestABodyIsAsLongAsItSaid(t *testing.T) {
	for _, c := range []struct {
		body   string
		length int64
		wrong  bool
	}{
		{"abc", 3, false}, {"abcd", 3, true}, {"ab", 3, true}, {"", 3, true}, {"x", 0, true}, {"", 0, false},
	} {
		for _, cut := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			called := false
			b, err := io.ReadAll(&exact{body: cut(bytes.NewReader([]byte(c.body))), left: c.length, wrong: func() { called = true }})
			if called != c.wrong || (wire.BodyFault(err) != nil) != c.wrong || c.wrong && int64(len(b)) >= c.length && c.length > 0 || !c.wrong && string(b) != c.body {
				t.Errorf("%q of %d: %q %v", c.body, c.length, b, err)
			}
		}
	}
}
