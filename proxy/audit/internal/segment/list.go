package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	namePrefix = "seg-"
	nameSuffix = ".jsonl"

	// PartSuffix ends the name of a segment that is being copied. Readers ignore
	// such files.
	PartSuffix = nameSuffix + ".part"
)

// Name returns the file name of the segment whose first line has the number
// first. Names sort by that number.
func Name(first uint64) string {
	return fmt.Sprintf(namePrefix+"%020d"+nameSuffix, first)
}

// File is one segment of a log.
type File struct {
	Path   string
	First  uint64   // number of its first line
	Size   int64    // bytes when it was listed, preallocated zeros included
	Copies []string // paths of the same segment in later directories
}

// Open opens the segment, or a copy of it if the file was moved away since it was
// listed.
func (f File) Open() (*os.File, error) {
	file, err := os.Open(f.Path)
	for _, path := range f.Copies {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		file, err = os.Open(path)
	}

	return file, err
}

// List returns the segments of the log that lies in dirs, in order. It ignores
// other files, but fails if a name begins like that of a segment and is not one.
// If several directories have a segment, the file in the first of them stands
// for it.
func List(dirs ...string) ([]File, error) {
	var files []File
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}

		for _, e := range entries {
			first, ok, err := parseName(e.Name())
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // moved away since the directory was read
			}
			if err != nil {
				return nil, err
			}
			files = append(files, File{Path: filepath.Join(dir, e.Name()), First: first, Size: info.Size()})
		}
	}

	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(a.First, b.First) })

	return joinCopies(files), nil
}

// parseName returns the number of the first line of the segment with that name,
// or false if it is not the name of a segment.
func parseName(name string) (first uint64, ok bool, err error) {
	digits, ok := strings.CutPrefix(name, namePrefix)
	if !ok || strings.HasSuffix(name, PartSuffix) {
		return 0, false, nil
	}

	first, err = strconv.ParseUint(strings.TrimSuffix(digits, nameSuffix), 10, 64)
	if err != nil || Name(first) != name {
		return 0, false, fmt.Errorf("%s: not a segment name", name)
	}

	return first, true, nil
}

// joinCopies makes one of files that begin with the same line.
func joinCopies(files []File) []File {
	joined := files[:0]
	for _, f := range files {
		last := len(joined) - 1
		if last >= 0 && joined[last].First == f.First {
			joined[last].Copies = append(joined[last].Copies, f.Path)
			continue
		}
		joined = append(joined, f)
	}

	return joined
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
