// Package durable creates and replaces small files so that a crash leaves
// complete content, and refuses secret files that other users can access.
//
// It serves files that are written whole: keys, tokens, vaults, cursors, tiles.
// Files that grow, like log segments, order their own writes and syncs.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Durability says what a crash of the machine may undo after a write returned
// nil. A crash of the process alone never undoes anything.
type Durability int

const (
	// Synced content is on stable storage, and so is its name in the folder.
	// It is the zero value.
	Synced Durability = iota
	// Unsynced content may be lost: after a crash of the machine the file may
	// hold the old content, the new content, or nothing. It is for files that
	// can be derived again and that are checked when they are read.
	Unsynced
)

// tempSuffix names the file that Replace writes before it renames it. The name
// is fixed, so that a crash leaves at most one such file, which the next
// Replace of the same path removes.
const tempSuffix = ".new"

// testOnlyStep is called before each step of Create and Replace with its name.
var testOnlyStep = func(step string) {}

// Create writes content to a new file with the given mode (before umask). It
// fails with an error that wraps fs.ErrExist if path exists. If root calls it, the
// file belongs to the owner of its folder. When it returns
// nil, the file and its name are on stable storage. On any other error it
// removes what it wrote. After a crash the file may exist and be cut short, so
// readers must recognise content that is incomplete.
func Create(path string, content []byte, mode fs.FileMode) error {
	testOnlyStep("create")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}

	err = closeOnError(f, giveToOwnerOf(filepath.Dir(path), f))
	if err == nil {
		err = writeAndClose(f, content, Synced)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Replace puts content in the place of the file at path, which need not exist,
// with the given mode (before umask). Every reader sees the old content or the
// new content. On error the old file is still in place, except that an error
// from syncing the folder leaves the new file, whose name a crash may undo. If root
// calls Replace, the file keeps its owner; a new one, and one of root's, belongs to
// the owner of its folder.
//
// Callers must not replace the same path concurrently: they would share one
// temporary file.
func Replace(path string, content []byte, mode fs.FileMode, durability Durability) error {
	temp := path + tempSuffix

	// O_EXCL ensures that nobody else owns the file or holds it open. What is
	// there is left from a crash.
	testOnlyStep("remove")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	testOnlyStep("create")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := closeOnError(f, giveToOwnerOfOld(path, f)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}

	// The content is synced before the rename: file systems may order the
	// rename first, and a crash between the two would leave an empty file.
	if err := writeAndClose(f, content, durability); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	testOnlyStep("rename")
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if durability == Unsynced {
		return nil
	}
	return SyncDir(filepath.Dir(path))
}

// ReplaceContent is Replace with the mode of the file at path, whatever the umask, or
// with the given mode if there is none.
func ReplaceContent(path string, content []byte, mode fs.FileMode, durability Durability) error {
	info, err := os.Stat(path)
	if err != nil {
		return Replace(path, content, mode, durability)
	}

	mode = info.Mode().Perm()
	if err := Replace(path, content, mode, durability); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// writeAndClose closes f in any case.
func writeAndClose(f *os.File, content []byte, durability Durability) error {
	testOnlyStep("write")
	_, err := f.Write(content)
	if err == nil && durability == Synced {
		testOnlyStep("sync")
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir puts the names in dir on stable storage: files that were created,
// renamed and removed in it.
func SyncDir(dir string) error {
	testOnlyStep("sync dir")
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// RequirePrivate fails if the group or other users have any access to the file
// or folder at path. The error names the remedy. It does not check the owner.
func RequirePrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return requirePrivateMode(path, info)
}

// ReadPrivate reads the file at path. It fails as RequirePrivate does, and the
// mode it checks is that of the file it reads.
func ReadPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := requirePrivateMode(path, info); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

func requirePrivateMode(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if mode&0o077 == 0 {
		return nil
	}

	remedy := "chmod 600 "
	if info.IsDir() {
		remedy = "chmod 700 "
	}
	return fmt.Errorf("%s is accessible to other users (mode %04o), who may have read it: run %s%s", path, mode, remedy, path)
}
