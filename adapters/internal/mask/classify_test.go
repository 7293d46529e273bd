package mask

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestVectorInstructionsClassifyAsTheTableDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var c classes
		for range random.IntN(256) {
			c.special.add(byte(random.Uint32()))
			c.early.add(byte(random.Uint32()))
		}
		for b := range 256 {
			if c.early.has(byte(b)) {
				c.special.add(byte(b))
			}
		}
		text := make([]byte, 8*blockSize)
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		var got, want [8]block
		classify(&c, text, got[:])
		classifyPortable(&c, text, want[:])
		if !slices.Equal(got[:], want[:]) {
			t.Fatalf("%x of %x: got %x, want %x", c, text, got, want)
		}
	}
}
