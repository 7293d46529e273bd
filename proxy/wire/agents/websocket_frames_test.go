package agents

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"
)

// frame is one frame of n bytes of payload.
func frame(fin bool, opcode byte, masked bool, n int) []byte {
	b := []byte{opcode, 0}
	if fin {
		b[0] |= 0x80
	}
	switch {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, bytes.Repeat([]byte{0x81}, n)...) // a payload that looks like heads
}

func TestFramesCountsMessagesHoweverTheyAreCut(t *testing.T) {
	var all []byte
	want := int64(0)
	for _, f := range []struct {
		fin    bool
		opcode byte
		masked bool
		n      int
		ends   int64
	}{
		{true, 1, true, 0, 1}, {true, 1, false, 5, 1}, {true, 2, true, 125, 1}, {true, 2, false, 126, 1}, {true, 2, true, 300, 1},
		{false, 1, true, 70000, 0}, {true, 9, true, 4, 0}, {false, 0, true, 0, 0}, {true, 0, true, 9, 1}, // one message, a ping in it
		{true, 10, false, 0, 0}, {true, 1, false, 65536, 1}, {true, 8, true, 2, 0},
	} {
		all = append(all, frame(f.fin, f.opcode, f.masked, f.n)...)
		want += f.ends
	}
	for _, step := range []int{1, 2, 3, 7, 1000, len(all)} {
		var n atomic.Int64
		c := frames{count: &n}
		for at := 0; at < len(all); at += step {
			c.pass(all[at:min(at+step, len(all))])
		}
		if n.Load() != want {
			t.Errorf("in pieces of %d bytes: %d messages, want %d", step, n.Load(), want)
		}
	}
}

func FuzzFramesNeverFails(f *testing.F) {
	f.Add(frame(true, 1, true, 3), 1)
	f.Add([]byte{0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		var whole, cut atomic.Int64
		(&frames{count: &whole}).pass(b)
		c := frames{count: &cut}
		for step = max(step, 1); len(b) > 0; b = b[min(step, len(b)):] {
			c.pass(b[:min(step, len(b))])
		}
		if whole.Load() != cut.Load() {
			t.Errorf("%d messages in one piece, %d in pieces of %d", whole.Load(), cut.Load(), step)
		}
	})
}
