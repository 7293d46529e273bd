//go:build !amd64

package mask

// classify says what the bytes of text are, which has as many blocks.
func classify(c *classes, text []byte, blocks []block) { classifyPortable(c, text, blocks) }
