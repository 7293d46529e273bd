//go:build profiled

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// profileWindow is how much each file covers.
const profileWindow = 3 * time.Second

// A build with this tag samples its own processor time, for make pgo, into the
// folder that BYLINE_CPU_PROFILES names: one file a window, under its name once
// it is whole, so that a process may be killed at any time. The binary that is
// shipped has none of this.
func init() {
	if dir := os.Getenv("BYLINE_CPU_PROFILES"); dir != "" {
		go func() { // ends with the process
			for n := 1; ; n++ {
				if err := profile(filepath.Join(dir, fmt.Sprintf("%d-%04d", os.Getpid(), n))); err != nil {
					fmt.Fprintln(os.Stderr, "byline: profile:", err)
					return
				}
			}
		}()
	}
}

func profile(name string) error {
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
