package mask

import "golang.org/x/sys/cpu"

var (
	hasVectors = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2
	hasWide    = hasVectors && cpu.X86.HasPOPCNT && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VBMI2
)

// classify tells what is what in the blocks of text.
func classify(c *classes, text []byte, all []classified) {
	if !hasVectors || len(all) == 0 {
		classifyPortable(c, text, all)
		return
	}
	_ = text[len(all)*blockSize-1]
	if hasWide {
		classifyAVX512(c, &text[0], &all[0], len(all))
	} else {
		classifyAVX2(c, &text[0], &all[0], len(all))
	}
}

// squeeze copies the bytes of text that the blocks keep to out. out must have room for
// all of the text and one block more.
func squeeze(c *classes, text []byte, blocks []block, out []byte) (written int) {
	if !hasVectors || len(blocks) == 0 {
		return squeezePortable(text, blocks, out)
	}
	_, _ = text[len(blocks)*blockSize-1], out[(len(blocks)+1)*blockSize-1]
	if hasWide {
		return squeezeAVX512(&text[0], &blocks[0], len(blocks), &out[0])
	}
	return squeezeAVX2(c, &text[0], &blocks[0], len(blocks), &out[0])
}

// findGrams looks up n grams, stride bytes apart, and sets one bit of found for each, the
// highest one of each word first.
func findGrams(grams *gramTable, bytes []byte, stride, n int, found []uint64) {
	if n <= 0 {
		return
	}
	_, _ = bytes[(n-1)*stride+gramSize-1], found[(n-1)/64]
	findGramsAMD64(grams, &bytes[0], stride, n, &found[0])
}

// The following are the same with vector instructions, for at least one block or gram.

//go:noescape
func classifyAVX2(c *classes, text *byte, all *classified, n int)

//go:noescape
func classifyAVX512(c *classes, text *byte, all *classified, n int)

//go:noescape
func squeezeAVX2(c *classes, text *byte, blocks *block, n int, out *byte) (written int)

//go:noescape
func squeezeAVX512(text *byte, blocks *block, n int, out *byte) (written int)

//go:noescape
func findGramsAMD64(grams *gramTable, bytes *byte, stride, n int, found *uint64)
