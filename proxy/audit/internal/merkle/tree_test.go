package merkle

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTreeAgreesWithTlog compares roots with those of golang.org/x/mod's
// implementation of RFC 6962 for trees of 0 to 129 leaves.
func TestTreeAgreesWithTlog(t *testing.T) {
	var tree Tree
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})

	for n := range int64(130) {
		want := must(tlog.TreeHash(n, reader))
		if got := tree.Root(); n > 0 && tlog.Hash(got) != want {
			t.Fatalf("root of %d leaves is %s, want %s", n, got.Base64(), want)
		}

		back, err := TreeFromFrontier(tree.size, tree.Frontier())
		if err != nil || back.Root() != tree.Root() {
			t.Fatalf("the tree from the frontier of %d leaves has another root, error %v", n, err)
		}

		line := []byte{0, 'l', byte(n)}
		tree.Add(LeafHash(line))
		stored = append(stored, must(tlog.StoredHashes(n, line[1:], reader))...)
	}
}

func TestTreeFromFrontierRejectsMissingHash(t *testing.T) {
	var tree Tree
	tree.Add(Hash{1})
	tree.Add(Hash{2})
	tree.Add(Hash{3})

	if _, err := TreeFromFrontier(3, tree.Frontier()[:1]); err == nil {
		t.Error("a frontier of 1 hash for 3 leaves was accepted, want an error")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
