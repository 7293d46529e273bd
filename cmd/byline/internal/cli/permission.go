package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// PermissionHint returns the remedy if err says that this user may not use a file, and
// otherwise "".
func PermissionHint(err error) string {
	failed, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(failed, fs.ErrPermission) {
		return ""
	}
	return permissionRemedy(failed.Path, os.Geteuid())
}

// permissionRemedy is the remedy for a user who may not use the file at path.
func permissionRemedy(path string, uid int) string {
	folder := filepath.Dir(path)
	owner, known := ownerOf(path)
	if folderOwner, ok := ownerOf(folder); ok && folderOwner == uid && known && owner != uid {
		return fmt.Sprintf("%s belongs to %s and its folder to %s, who runs this: as root, run chown --reference=%s %s",
			path, userName(owner), userName(uid), folder, path)
	}
	if !known { // its folder may not be entered
		owner, known = ownerOfNearest(folder)
	}
	if !known || owner == uid {
		return "give " + userName(uid) + ", who runs this, access to " + path
	}
	if owner == 0 {
		return fmt.Sprintf("it belongs to root, and %s runs this: as root, run chown %s %s", userName(uid), userName(uid), path)
	}
	return fmt.Sprintf("it belongs to %s: run this as that user (sudo -u %s byline …), or as root", userName(owner), userName(owner))
}

func ownerOf(path string) (uid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// ownerOfNearest returns the owner of the first folder upwards that can be looked at.
func ownerOfNearest(folder string) (uid int, ok bool) {
	for {
		if uid, ok := ownerOf(folder); ok {
			return uid, true
		}
		above := filepath.Dir(folder)
		if above == folder {
			return 0, false
		}
		folder = above
	}
}

// userName returns the name of a user, or its number if it has none.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return strconv.Itoa(uid)
	}
	return u.Username
}
