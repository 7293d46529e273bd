//go:build !linux

package journal

import "os"

// osFile is a file of the operating system. Sync is fsync or its equivalent.
type osFile struct{ *os.File }

func newOSFile(f *os.File) osFile { return osFile{f} }

// freeBytes would return the free space on the file system of dir; here it is
// not known.
func freeBytes(dir string) (free uint64, known bool) { return 0, false }
