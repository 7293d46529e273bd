package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// wgetStartup is a startup file for wget, which reads the authorities to trust
// from nothing else where it is built on GnuTLS: the person's own file, and
// below it, where it wins, the bundle.
func wgetStartup(path, bundle string) error {
	own := os.Getenv("WGETRC")
	if own == "" {
		own = filepath.Join(os.Getenv("HOME"), ".wgetrc")
	}
	text, err := os.ReadFile(own)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("wget's startup file: %w", err)
	}
	return os.WriteFile(path, fmt.Appendf(text, "\nca_certificate = %s\n", bundle), 0o600)
}
