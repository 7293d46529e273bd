package agents

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"
)

// websocketFrame returns a frame with n bytes of payload, which look like heads.
func websocketFrame(fin bool, opcode byte, masked bool, n int) []byte {
	b := []byte{opcode, 0}
	if fin {
		b[0] |= finBit
	}
	switch {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = lengthIsNext2
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = lengthIsNext8
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= maskBit
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, bytes.Repeat([]byte{0x81}, n)...)
}

// countMessages counts the messages in b when step bytes arrive at a time.
func countMessages(b []byte, step int) int64 {
	var n atomic.Int64
	c := messageCounter{count: &n}
	for ; len(b) > 0; b = b[min(step, len(b)):] {
		c.pass(b[:min(step, len(b))])
	}
	return n.Load()
}

func TestMessageCounterCountsHoweverFramesAreCut(t *testing.T) {
	const text, binary, closing, ping, pong, continuation = 1, 2, 8, 9, 10, 0
	var all []byte
	want := int64(0)
	for _, f := range []struct {
		fin    bool
		opcode byte
		masked bool
		n      int
		ends   int64 // messages that end with the frame
	}{
		{true, text, true, 0, 1},
		{true, text, false, 5, 1},
		{true, binary, true, 125, 1},
		{true, binary, false, 126, 1},
		{true, binary, true, 300, 1},

		// One message of three frames, with a ping between them.
		{false, text, true, 70000, 0},
		{true, ping, true, 4, 0},
		{false, continuation, true, 0, 0},
		{true, continuation, true, 9, 1},

		{true, pong, false, 0, 0},
		{true, text, false, 65536, 1},
		{true, closing, true, 2, 0},
	} {
		all = append(all, websocketFrame(f.fin, f.opcode, f.masked, f.n)...)
		want += f.ends
	}

	for _, step := range []int{1, 2, 3, 7, 1000, len(all)} {
		if n := countMessages(all, step); n != want {
			t.Errorf("in pieces of %d bytes: %d messages, want %d", step, n, want)
		}
	}
}

// FuzzMessageCounter shows that no input makes the counter panic, and that the count
// does not depend on how the bytes are cut.
func FuzzMessageCounter(f *testing.F) {
	f.Add(websocketFrame(true, 1, true, 3), 1)
	f.Add([]byte{0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(step, 1)
		whole, cut := countMessages(b, len(b)+1), countMessages(b, step)
		if whole != cut {
			t.Errorf("%d messages in one piece, %d in pieces of %d bytes", whole, cut, step)
		}
	})
}
