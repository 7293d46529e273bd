package segment

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Name is the name of the segment whose first line has that seq.
func Name(first uint64) string { return fmt.Sprintf("seg-%020d.jsonl", first) }

// File is one segment.
type File struct {
	Path  string
	First uint64 // seq of its first line
	Size  int64
}

// List lists the folder's segments in order. Other files are none of its
// business, but a name that only looks like a segment is an error.
func List(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []File
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "seg-")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(digits, ".jsonl"), 10, 64)
		if err != nil || Name(first) != e.Name() {
			return nil, fmt.Errorf("%s: not a segment's name", e.Name())
		}
		fi, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, File{filepath.Join(dir, e.Name()), first, fi.Size()})
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// IndexOf is the segment that holds the line with that seq; -1: none.
func IndexOf(segs []File, seq uint64) int {
	i := len(segs) - 1
	for i >= 0 && segs[i].First > seq {
		i--
	}
	return i
}
