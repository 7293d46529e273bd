package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeWgetrc writes a startup file for wget: a copy of the user's own, followed by the
// bundle, so that the bundle wins. A wget that is built on GnuTLS takes the authorities
// to trust only from there.
func writeWgetrc(path, bundle string) error {
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
