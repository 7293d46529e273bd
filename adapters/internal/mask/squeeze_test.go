package mask

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestVectorInstructionsSqueezeAsTheTableDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var c classes
		c.init()
		for range random.IntN(256) {
			c.early.add(byte(random.Uint32()))
			c.after.add(byte(random.Uint32()))
		}
		for range random.IntN(256) {
			b := byte(random.Uint32())
			c.dropped.add(b)
			c.early.remove(b)
		}
		for i, b := 0, byte(random.Uint32()); i < len(c.opener); i++ {
			c.opener[i] = b
		}
		text := make([]byte, 8*blockSize)
		for i := range text {
			text[i] = byte(random.Uint32())
		}

		var got, want [8]block
		var out, wantOut [8*blockSize + 8]byte
		n := squeeze(&c, text, got[:], out[:])
		wantN := squeezePortable(&c, text, want[:], wantOut[:])
		if n != wantN || !slices.Equal(got[:], want[:]) || !bytes.Equal(out[:n], wantOut[:n]) {
			t.Fatalf("%v of %x: got %v %x, want %v %x", c, text, got, out[:n], want, wantOut[:wantN])
		}
	}
}
