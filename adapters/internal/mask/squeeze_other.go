//go:build !amd64

package mask

func classify(c *classes, text []byte, all []classified) { classifyPortable(c, text, all) }

func squeeze(_ *classes, text []byte, blocks []block, out []byte) (written int) {
	return squeezePortable(text, blocks, out)
}

func findGrams(grams *gramTable, bytes []byte, stride, n int, found []uint64) {
	findGramsPortable(grams, bytes, stride, n, found)
}

// Tests read these.
var hasVectors, hasWide bool
