package segment

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	namePrefix = "seg-"
	nameSuffix = ".jsonl"
)

// Name returns the file name of the segment whose first line has the number
// first. Names sort by that number.
func Name(first uint64) string {
	return fmt.Sprintf(namePrefix+"%020d"+nameSuffix, first)
}

// File is one segment in a directory.
type File struct {
	Path  string
	First uint64 // number of its first line
	Size  int64  // bytes when it was listed, preallocated zeros included
}

// List returns the segments of the log in dir, in order. It ignores other files,
// but fails if a name begins like that of a segment and is not one.
func List(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}

	var files []File
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), namePrefix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(digits, nameSuffix), 10, 64)
		if err != nil || Name(first) != e.Name() {
			return nil, fmt.Errorf("%s: not a segment name", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, File{filepath.Join(dir, e.Name()), first, info.Size()})
	}

	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })

	return files, nil
}

// IndexOf returns the index of the segment that holds the line with number seq
// if the log is that long, or -1 if all segments begin later.
func IndexOf(files []File, seq uint64) int {
	i := len(files) - 1
	for i >= 0 && files[i].First > seq {
		i--
	}

	return i
}

// TotalSize returns the sum of the sizes of files, in bytes.
func TotalSize(files []File) (total int64) {
	for _, f := range files {
		total += f.Size
	}

	return total
}
