//go:build !amd64

package mask

// squeeze copies the blocks of text to out without the bytes that are dropped, and tells
// what it did with each block. out must have room for all of them and 8 more bytes.
func squeeze(c *classes, text []byte, blocks []block, out []byte) (written int) {
	return squeezePortable(c, text, blocks, out)
}
