package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// browserHome makes a home folder whose NSS database trusts the root. Chromium
// and what is built on it take the authorities that a person added from there
// and from nowhere else, on Linux: a program that starts one gives it this
// folder as HOME. Without certutil (of NSS) there is none, and "" comes back.
func browserHome(dir, root string) (string, error) {
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
		{"-A", "-n", "byline", "-t", "C,,", "-i", root}, // C: trusted to issue certificates of servers, and nothing else
	} {
		if out, err := exec.Command(certutil, append(args, "-d", "sql:"+db)...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("certutil %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
		}
	}
	return home, nil
}
