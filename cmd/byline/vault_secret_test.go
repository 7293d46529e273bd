package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestI1ATypedSecretIsNotShown types at the prompts of byline vault put as a
// person does: each answer after its question.
func TestI1ATypedSecretIsNotShown(t *testing.T) {
	h := initialized(t)
	screen, keyboard := terminal(t)
	cmd := h.Command(t.Context(), "vault", "put", "wiki/agent-01")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = keyboard, keyboard, keyboard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for _, q := range []struct{ ask, answer string }{{"username: ", "agent-01"}, {"password: ", "canary-typed"}, {"totp_seed: ", ""}} {
		readUntil(t, screen, &shown, q.ask)
		if _, err := screen.WriteString(q.answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	readUntil(t, screen, &shown, "stored wiki/agent-01: password, username")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown.String(), "canary") || !strings.Contains(shown.String(), "username: agent-01") {
		t.Errorf("the terminal shows: %q", shown.String())
	}
}

// initialized is what byline init makes, with no server and no application.
func initialized(t *testing.T) *installation {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := newInstallation(t.TempDir(), self, nil)
	if _, err := h.Run(t.Context(), "", "init"); err != nil {
		t.Fatal(err)
	}
	return h
}

// terminal is a pseudo-terminal: what a person looks at, and what a program
// has for one.
func terminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return screen, program
}

// readUntil adds what appears on the screen to shown, until text does.
func readUntil(t *testing.T, screen *os.File, shown *strings.Builder, text string) {
	t.Helper()
	late := time.AfterFunc(30*time.Second, func() { _ = screen.Close() })
	defer late.Stop()
	b := make([]byte, 1024)
	for !strings.Contains(shown.String(), text) {
		n, err := screen.Read(b)
		if err != nil {
			t.Fatalf("%q never appeared: %v; the terminal shows %q", text, err, shown.String())
		}
		shown.Write(b[:n])
	}
}
