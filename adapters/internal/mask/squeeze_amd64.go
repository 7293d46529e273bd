package mask

import "golang.org/x/sys/cpu"

var hasVectors = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2

// squeeze copies the blocks of text to out without the bytes that are dropped, and tells
// what it did with each block. out must have room for all of them and 8 more bytes.
func squeeze(c *classes, text []byte, blocks []block, out []byte) (written int) {
	if !hasVectors || len(blocks) == 0 {
		return squeezePortable(c, text, blocks, out)
	}
	_, _ = text[len(blocks)*blockSize-1], out[len(blocks)*blockSize+8-1]
	return squeezeAVX2(c, &text[0], &blocks[0], len(blocks), &out[0])
}

// squeezeAVX2 is squeeze with vector instructions for n blocks of text; n is at least 1.
//
//go:noescape
func squeezeAVX2(c *classes, text *byte, blocks *block, n int, out *byte) (written int)
