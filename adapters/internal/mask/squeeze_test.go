package mask

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// randomClasses are classes in which a byte may be anything.
func randomClasses(random *rand.Rand) *classes {
	c := new(classes)
	for _, set := range []*byteSet{&c.dropped, &c.early, &c.stop, &c.digits} {
		for range random.IntN(256) {
			set.add(byte(random.Uint32()))
		}
	}
	for b := range 256 {
		if c.dropped.has(byte(b)) {
			c.early.remove(byte(b))
		}
	}
	opener := byte(random.Uint32())
	for i := range c.opener {
		c.opener[i] = opener
	}
	c.init()
	return c
}

// eachProcessor calls do for the instructions of each kind of processor that this one has.
func eachProcessor(do func(name string)) {
	defer func(vectors, wide bool) { hasVectors, hasWide = vectors, wide }(hasVectors, hasWide)
	if hasWide {
		do("AVX-512")
	}
	hasWide = false
	if hasVectors {
		do("AVX2")
	}
	hasVectors = false
	do("any")
}

func TestVectorInstructionsDoAsTheTablesDo(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		c := randomClasses(random)
		text := make([]byte, 8*blockSize)
		for i := range text {
			text[i] = byte(random.Uint32())
			if random.IntN(4) == 0 {
				text[i] = "<>="[random.IntN(3)]
			}
		}

		var want [8]classified
		classifyPortable(c, text, want[:])
		var blocks, wantBlocks [8]block
		for i := range blocks {
			blocks[i] = block{kept: random.Uint64(), early: random.Uint64()}
		}
		wantBlocks = blocks
		var wantOut [9 * blockSize]byte
		wantN := squeezePortable(text, wantBlocks[:], wantOut[:])

		eachProcessor(func(name string) {
			var got [8]classified
			if classify(c, text, got[:]); got != want {
				t.Fatalf("%s: %v of %x: got %x, want %x", name, c, text, got, want)
			}
			var out [9 * blockSize]byte
			n := squeeze(c, text, blocks[:], out[:])
			if n != wantN || blocks != wantBlocks || !bytes.Equal(out[:n], wantOut[:n]) {
				t.Fatalf("%s: %x: got %v %x, want %v %x", name, text, blocks, out[:n], wantBlocks, wantOut[:wantN])
			}
		})
	}
}

func TestVectorInstructionsFindGramsAsTheTableDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	grams := new(gramTable)
	for i := range grams {
		grams[i] = random.Uint64() & random.Uint64()
	}
	text := make([]byte, 2000)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	for range 300 {
		stride := 1 + random.IntN(9)
		n := random.IntN((len(text)-gramSize)/stride + 1)
		var got, want [2000/64 + 1]uint64
		findGrams(grams, text, stride, n, got[:])
		findGramsPortable(grams, text, stride, n, want[:])
		if got != want {
			t.Fatalf("%d grams, %d bytes apart: got %x, want %x", n, stride, got, want)
		}
	}
}
