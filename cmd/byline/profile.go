//go:build profiled

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// profileWindow is how long each profile lasts.
const profileWindow = 3 * time.Second

// A build with this tag, which make pgo uses, profiles its own processor time into the
// folder that BYLINE_CPU_PROFILES names. There is one file for each window, renamed
// when it is complete, so that the process may be killed at any time. The released
// binary does not contain this file.
func init() {
	dir := os.Getenv("BYLINE_CPU_PROFILES")
	if dir == "" {
		return
	}

	go func() { // ends with the process
		for n := 1; ; n++ {
			name := filepath.Join(dir, fmt.Sprintf("%d-%04d", os.Getpid(), n))
			if err := writeProfile(name); err != nil {
				fmt.Fprintln(os.Stderr, "byline: profile:", err)
				return
			}
		}
	}()
}

// writeProfile profiles one window and writes name.pprof.
func writeProfile(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()

	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	time.Sleep(profileWindow)
	pprof.StopCPUProfile()

	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(name, name+".pprof")
}
