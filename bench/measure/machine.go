package measure

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine describes what figures depend on besides the code under test.
type Machine struct {
	CPU    string        `json:"cpu"`
	Cores  int           `json:"cores"`
	Memory int64         `json:"memory"` // bytes
	Kernel string        `json:"kernel"`
	Go     string        `json:"go"`
	Commit string        `json:"commit"` // short hash, with "+" if source files differ from it
	Disk   string        `json:"disk"`   // file system under the records
	Sync   time.Duration `json:"sync"`   // median of a 4 KiB write that waits for the disk (O_DSYNC)
}

// ThisMachine describes the machine. dir is where the records will be written; it
// must be writable, because ThisMachine measures the disk under it. Everything
// else that it cannot determine is left empty.
func ThisMachine(dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Commit: currentCommit()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU, m.Cores = parseCPUInfo(text)
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:])
	}
	m.Disk = fileSystem(dir)

	var err error
	m.Sync, err = measureSync(dir)
	return m, err
}

// parseCPUInfo reads the model and the number of processors from /proc/cpuinfo.
func parseCPUInfo(text []byte) (model string, processors int) {
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(string(line), ":")
		switch strings.TrimSpace(key) {
		case "processor":
			processors++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	return model, processors
}

// currentCommit returns the short hash of the commit in the working directory,
// with "+" if Go files or go.mod differ from it, or "" if there is none.
func currentCommit() string {
	hash, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	mark := ""
	changes, err := exec.Command("git", "status", "--porcelain", "--", "*.go", "go.mod").Output()
	if err != nil || len(changes) > 0 {
		mark = "+"
	}
	return strings.TrimSpace(string(hash)) + mark
}

// fileSystem returns the type of the file system that dir is on.
func fileSystem(dir string) string {
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) != nil {
		return ""
	}
	switch int64(stat.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs (memory: durable records cost nothing here)"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	}
	return fmt.Sprintf("%#x", stat.Type)
}

// measureSync returns the median time of 101 small durable writes to a file in
// dir.
func measureSync(dir string) (time.Duration, error) {
	path := filepath.Join(dir, "sync-probe")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_DSYNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("disk: %w", err)
	}
	defer os.Remove(path)
	defer f.Close()

	var times Series
	for range 101 {
		start := time.Now()
		if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
			return 0, fmt.Errorf("disk: %w", err)
		}
		times = append(times, float64(time.Since(start)))
	}
	return time.Duration(times.Median()), nil
}
