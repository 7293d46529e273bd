package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdAcceptsTheUnit verifies the unit that ships, with this program in place of the
// installed one, on machines with systemd.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze on this machine")
	}
	program, err := os.Executable()
	must(t, err)
	text, err := os.ReadFile("../../configs/byline.service")
	must(t, err)
	unit := filepath.Join(t.TempDir(), "byline.service")
	must(t, os.WriteFile(unit, []byte(strings.Replace(string(text), "/usr/local/bin/byline", program, 1)), 0o600))

	out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "byline.service") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil && !t.Failed() {
		t.Skipf("systemd-analyze does not run here: %v %s", err, out)
	}
}
