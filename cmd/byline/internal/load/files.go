package load

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// filesIn lists the files of dir whose names end in one of the suffixes, without
// hidden ones. key is the key of the configuration that names dir. A missing folder
// is a problem: to take it for an empty one would allow more than was meant.
func filesIn(dir, key string, found *Problems, suffixes ...string) []string {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		found.Add("%s: there is no folder %s; create it, or name another one", key, dir)
		return nil
	}
	found.AddError(err)

	var paths []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(suffixes, filepath.Ext(e.Name())) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
