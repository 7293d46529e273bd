package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// partSuffix ends the name of a copy that is not complete. Readers of a log ignore
// such files.
const partSuffix = ".part"

// errDiffers is in the error if a file is not the copy that it must be.
var errDiffers = errors.New("differs from the segment")

// copyFile copies a segment, whose bytes have that SHA-256, to a new file. When it
// returns nil, the copy is on stable storage and was read back. If there is a copy
// already, copyFile only compares it.
func copyFile(from, to, digest string) error {
	err := checkCopy(to, digest)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	part := to + partSuffix
	if err := writeCopy(from, part); err != nil {
		return errors.Join(err, removeIfThere(part))
	}
	if err := checkCopy(part, digest); err != nil {
		return errors.Join(err, removeIfThere(part))
	}
	if err := os.Rename(part, to); err != nil {
		return errors.Join(err, removeIfThere(part))
	}

	return durable.SyncDir(filepath.Dir(to))
}

func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

// writeCopy writes a copy, over what an earlier run left, and syncs it.
func writeCopy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := durable.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}

	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}

	return errors.Join(err, out.Close())
}

// checkCopy reads a file and fails if its bytes do not have that SHA-256.
func checkCopy(path, digest string) error {
	got, _, err := digestFile(path)
	if err != nil {
		return err
	}
	if got != digest {
		return fmt.Errorf("%s %w: its SHA-256 is %s, want %s", path, errDiffers, got, digest)
	}

	return nil
}

// digestFile returns the SHA-256 of a file in hex, and its length. It asks the kernel
// to forget the pages of the file, so that it reads what the disk holds.
func digestFile(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // advice: a file system may ignore it

	sum := sha256.New()
	size, err = io.Copy(sum, f)

	return hex.EncodeToString(sum.Sum(nil)), size, err
}
