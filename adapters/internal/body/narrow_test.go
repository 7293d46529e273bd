package body

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestAppendNarrowDropsNULsAndByteOrderMarks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		wide := make([]byte, random.IntN(60))
		var want []byte
		for i := range wide {
			if random.IntN(4) == 0 {
				wide[i] = [...]byte{'a', 0xfd, 0xfe, 0xff, 1}[random.IntN(5)]
			}
			if wide[i] != 0 && wide[i] < 0xfe {
				want = append(want, wide[i])
			}
		}
		if got := appendNarrow(nil, wide); !bytes.Equal(got, want) {
			t.Fatalf("appendNarrow of %x: got %x, want %x", wide, got, want)
		}
	}
}
