package mask

import "golang.org/x/sys/cpu"

// classify says what the bytes of text are, which has as many blocks.
func classify(c *classes, text []byte, blocks []block) {
	if !cpu.X86.HasAVX2 || len(blocks) == 0 {
		classifyPortable(c, text, blocks)
		return
	}
	_ = text[len(blocks)*blockSize-1]
	classifyAVX2(c, &text[0], &blocks[0], len(blocks))
}

// classifyAVX2 is classify with vector instructions. It reads n blocks of text; n is at
// least 1.
//
//go:noescape
func classifyAVX2(c *classes, text *byte, blocks *block, n int)
