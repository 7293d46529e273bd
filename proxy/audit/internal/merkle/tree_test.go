package merkle

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTreeIsRFC6962(t *testing.T) {
	var ours Tree
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(130) {
		if got, want := ours.Root(), must(tlog.TreeHash(n, reader)); n > 0 && tlog.Hash(got) != want {
			t.Fatalf("root of %d leaves differs", n)
		}
		back, err := TreeFromFrontier(ours.size, ours.Frontier())
		if err != nil || back.Root() != ours.Root() {
			t.Fatalf("frontier of %d leaves does not lead back: %v", n, err)
		}
		line := []byte{0, 'l', byte(n)}
		ours.Add(LeafHash(line))
		stored = append(stored, must(tlog.StoredHashes(n, line[1:], reader))...)
	}
	if _, err := TreeFromFrontier(3, []string{ours.Root().Base64()}); err == nil {
		t.Error("a frontier with a missing hash was taken")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
