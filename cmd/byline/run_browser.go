package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// makeBrowserHome makes a home folder whose NSS database trusts the root, and returns
// its path. On Linux, Chromium and browsers based on it take the authorities that a user
// added only from there: a program that starts one gives it this folder as HOME. Without
// certutil (of NSS) the path is empty.
func makeBrowserHome(dir, root string) (string, error) {
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		return "", nil
	}

	home := filepath.Join(dir, "browser")
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		return "", err
	}

	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "byline", "-t", "C,,", "-i", root}, // C: trusted to issue server certificates, nothing else
	} {
		out, err := exec.Command(certutil, append(args, "-d", "sql:"+db)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("certutil %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
		}
	}
	return home, nil
}
