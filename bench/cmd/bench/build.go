package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// profileFile is the CPU profile by which Byline is optimized, here as by make
// build. make pgo writes it.
const profileFile = "bench/byline.pgo"

// createWorkDir creates the directory in which the peers write.
func (s *settings) createWorkDir() (string, error) {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.out, "run-")
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// buildByline builds Byline into dir, unless the command line names a binary.
func (s *settings) buildByline(ctx context.Context, dir string) error {
	if s.byline != "" {
		return nil
	}
	s.byline = filepath.Join(dir, "byline")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-pgo="+profileFile, "-o", s.byline, "./cmd/byline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building byline: %w\n%s\nhint: run it in the root of the repository, or name a binary with --byline", err, out)
	}
	return nil
}

// describeBuild says how a binary was built.
func describeBuild(exe string) string {
	info, err := buildinfo.ReadFile(exe)
	if err != nil {
		return "unknown"
	}
	text := info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "-pgo" || s.Key == "CGO_ENABLED" {
			text += ", " + s.Key + "=" + filepath.Base(s.Value)
		}
	}
	return text
}
