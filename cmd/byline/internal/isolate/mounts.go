package isolate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// setUpMounts gives the program its own /proc, a /dev with harmless devices, and files
// by which every resolver asks Byline alone. What of the kernel is left is read-only.
func setUpMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}

	// In a container whose /proc is masked no other can be mounted. Processes outside have
	// no number inside all the same, and their files in /proc belong to another user
	// namespace.
	err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mount /proc: %w", err)
	}
	readOnly := []string{"/sys", "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi"}
	for _, path := range readOnly {
		if err := makeReadOnly(path); err != nil {
			return fmt.Errorf("make %s read-only: %w", path, err)
		}
	}

	// Everything that is mounted below comes from a file system of this namespace, which is
	// moved to /dev in the end.
	const stage = "/proc/fs" // exists, is empty for all that matters, and is read-only
	if err := unix.Mount("tmpfs", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size=16m"); err != nil {
		return fmt.Errorf("mount a private file system: %w", err)
	}
	if err := fillDevices(stage); err != nil {
		return err
	}
	if err := replaceResolverFiles(stage); err != nil {
		return err
	}
	if err := unix.Mount(stage, "/dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	if err := mountSharedMemory(); err != nil {
		return err
	}

	// What is mounted in /dev stays as it is: a terminal is written to.
	if err := unix.MountSetattr(unix.AT_FDCWD, "/dev", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make /dev read-only: %w", err)
	}
	return nil
}

// mountSharedMemory mounts shared memory and message queues (shm_open and mq_open of POSIX)
// that no process outside sees.
func mountSharedMemory() error {
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount /dev/shm: %w", err)
	}
	err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.ENODEV) { // a kernel without message queues
		return fmt.Errorf("mount /dev/mqueue: %w", err)
	}
	return nil
}

// makeReadOnly makes a file, or a folder with everything that is mounted in it,
// read-only.
func makeReadOnly(path string) error {
	err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, "")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	return unix.MountSetattr(unix.AT_FDCWD, path, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// Devices that lead to no network and to no other machine.
var (
	devices     = []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "dri", "kfd"}
	deviceGlobs = []string{"/dev/nvidia*"}
	deviceLinks = map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
)

// fillDevices puts the devices that this machine has into dir.
func fillDevices(dir string) error {
	paths := make([]string, 0, len(devices))
	for _, name := range devices {
		paths = append(paths, "/dev/"+name)
	}
	for _, pattern := range deviceGlobs {
		found, _ := filepath.Glob(pattern)
		paths = append(paths, found...)
	}

	for _, path := range paths {
		to := filepath.Join(dir, filepath.Base(path))
		link, err := os.Readlink(path)
		if err == nil {
			if err := os.Symlink(link, to); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if info.IsDir() {
			err = os.Mkdir(to, 0o755)
		} else {
			err = os.WriteFile(to, nil, 0o600)
		}
		if err == nil {
			err = unix.Mount(path, to, "", unix.MS_BIND|unix.MS_REC, "")
		}
		if err != nil {
			return fmt.Errorf("provide %s: %w", path, err)
		}
	}
	for _, name := range []string{"shm", "mqueue"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	for name, to := range deviceLinks {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// resolvConf names no address of Byline: every question comes to it, whatever the
// address.
const resolvConf = "# written by byline run: only Byline answers\nnameserver 198.18.0.1\noptions attempts:1 timeout:10\n"

// replaceResolverFiles puts files in the place of those by which libraries find out
// whom to ask.
func replaceResolverFiles(dir string) error {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	hosts := "127.0.0.1 localhost " + name + "\n::1 localhost ip6-localhost ip6-loopback " + name + "\n"

	files := map[string]string{"/etc/resolv.conf": resolvConf, "/etc/hosts": hosts}
	if text, err := os.ReadFile("/etc/nsswitch.conf"); err == nil {
		files["/etc/nsswitch.conf"] = withHostsFromDNS(string(text))
	}
	own := filepath.Join(dir, ".byline")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	for path, text := range files {
		if _, err := os.Stat(path); err != nil {
			continue // without it libraries ask 127.0.0.1, where Byline answers, too
		}
		from := filepath.Join(own, filepath.Base(path))
		if err := os.WriteFile(from, []byte(text), 0o444); err != nil {
			return err
		}
		if err := unix.Mount(from, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
		if err := unix.MountSetattr(unix.AT_FDCWD, path, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make %s read-only: %w", path, err)
		}
	}
	return nil
}

// withHostsFromDNS returns an nsswitch.conf by which hosts come from /etc/hosts and DNS
// alone.
func withHostsFromDNS(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.TrimSpace(name) != "hosts" {
			b.WriteString(line)
		}
	}
	b.WriteString("\nhosts: files dns\n")
	return b.String()
}
