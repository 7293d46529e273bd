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

// Machine is what figures depend on beside the code.
type Machine struct {
	CPU    string        `json:"cpu"`
	Cores  int           `json:"cores"`
	Memory int64         `json:"memory"` // bytes
	Kernel string        `json:"kernel"`
	Go     string        `json:"go"`
	Commit string        `json:"commit"` // short, with "+" when files differ from it
	Disk   string        `json:"disk"`   // file system under the records
	Sync   time.Duration `json:"sync"`   // median of a 4 KiB write that waits for the disk (O_DSYNC)
}

// ThisMachine describes the machine; dir is where records will lie. What
// cannot be found out is left empty, except that dir must be writable.
func ThisMachine(dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Commit: commit()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU, m.Cores = processors(text)
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
	m.Sync, err = syncTime(dir)
	return m, err
}

// processors reads model and number from the text of /proc/cpuinfo.
func processors(text []byte) (model string, n int) {
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(string(line), ":")
		switch strings.TrimSpace(key) {
		case "processor":
			n++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	return model, n
}

func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	mark := ""
	if changed, err := exec.Command("git", "status", "--porcelain", "--", "*.go", "go.mod").Output(); err != nil || len(changed) > 0 {
		mark = "+"
	}
	return strings.TrimSpace(string(head)) + mark
}

func fileSystem(dir string) string {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return ""
	}
	for kind, name := range map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.TMPFS_MAGIC: "tmpfs (memory: durable records cost nothing here)", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs"} {
		if int64(s.Type) == kind {
			return name
		}
	}
	return fmt.Sprintf("%#x", s.Type)
}

// syncTime is the median over 101 small durable writes to a file in dir.
func syncTime(dir string) (time.Duration, error) {
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
