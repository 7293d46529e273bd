package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Files that root makes belong to the owner of their folder: an operator may run a
// command as root where the server runs as another user, which must be able to read
// what the command wrote. Only files that the process has just created are given
// away, by their descriptor: the owner of the folder could have put a link in the
// place of any other.

// OpenFile is os.OpenFile for a path without symbolic links, except that a file that
// root creates belongs to the owner of its folder.
func OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE == 0 {
		return os.OpenFile(path, flag, mode)
	}
	if os.Geteuid() != 0 {
		return os.OpenFile(path, flag, mode)
	}

	f, err := os.OpenFile(path, flag|os.O_EXCL, mode)
	if err == nil {
		return f, closeOnError(f, giveToOwnerOf(filepath.Dir(path), f))
	}
	if !errors.Is(err, fs.ErrExist) || flag&os.O_EXCL != 0 {
		return nil, err
	}
	return os.OpenFile(path, flag&^os.O_CREATE|syscall.O_NOFOLLOW, mode)
}

// MkdirAll is os.MkdirAll, except that folders that root creates belong to the owner
// of the folder above them.
func MkdirAll(path string, mode fs.FileMode) error {
	_, err := os.Stat(path)
	if err == nil || os.Geteuid() != 0 {
		return os.MkdirAll(path, mode)
	}

	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	d, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(giveToOwnerOf(parent, d), d.Close())
}

// giveToOwnerOf makes the owner and the group of dir those of f if this process is
// root. f must have been created by the caller.
func giveToOwnerOf(dir string, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}

	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return giveTo(info, f)
}

// giveTo makes the owner and the group in info those of f.
func giveTo(info fs.FileInfo, f *os.File) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 && owner.Gid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// giveToOwnerOfOld makes f belong to the owner of the file at path that it is to
// replace or, if there is none or root owns that, to the owner of its folder.
func giveToOwnerOfOld(path string, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}

	old, err := os.Lstat(path)
	if err == nil && old.Mode().IsRegular() && old.Sys().(*syscall.Stat_t).Uid != 0 {
		return giveTo(old, f)
	}
	return giveToOwnerOf(filepath.Dir(path), f)
}

// closeOnError closes f if err is not nil, and returns err.
func closeOnError(f *os.File, err error) error {
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}
