package proxy

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/proxy/wire"
)

const (
	// minHeld and minTaskHeld are the least defaults of the budget. The second holds
	// one body of the largest size with what is made of it.
	minHeld     = 64 << 20
	minTaskHeld = 32 << 20
	// unknownMemory is assumed if the size of the memory cannot be read.
	unknownMemory = 1 << 30
)

// heldLimits returns the limits of the budget: those of the configuration, or
// shares of the memory that this process may use.
func heldLimits(c wire.Config) (total, perTask int64) {
	total, perTask = int64(c.MaxHeldBytes), int64(c.MaxTaskHeldBytes)
	if total == 0 {
		total = max(usableMemory()/4, minHeld)
	}
	if perTask == 0 {
		perTask = max(total/8, minTaskHeld)
	}
	return total, min(perTask, total)
}

// usableMemory returns the memory of the machine, or the limit of the control group
// if that is lower, in bytes.
func usableMemory() int64 {
	memory := int64(unknownMemory)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		memory = int64(info.Totalram) * int64(info.Unit)
	}
	if limit, ok := controlGroupLimit(); ok {
		memory = min(memory, limit)
	}
	return memory
}

// controlGroupLimit returns the lowest memory.max of this process's control group
// and those above it (cgroups(7), version 2). ok is false if there is none.
func controlGroupLimit() (limit int64, ok bool) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	_, group, found := bytes.Cut(text, []byte("0::/"))
	if !found {
		return 0, false
	}

	path, _, _ := strings.Cut(string(group), "\n")
	for {
		value, err := os.ReadFile("/sys/fs/cgroup/" + path + "/memory.max")
		n, parseErr := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		if err == nil && parseErr == nil && (!ok || n < limit) {
			limit, ok = n, true
		}
		if path == "" {
			return limit, ok
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
}
