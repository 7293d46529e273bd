package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestI1ATypedSecretIsNotShown answers the prompts of byline vault put on a terminal, as a
// person does.
func TestI1ATypedSecretIsNotShown(t *testing.T) {
	h := initialize(t)
	screen, keyboard := openTerminal(t)
	cmd := h.Command(t.Context(), "vault", "put", "wiki/agent-01")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = keyboard, keyboard, keyboard
	must(t, cmd.Start())

	var shown strings.Builder
	for _, q := range []struct{ prompt, answer string }{
		{"username: ", "agent-01"},
		{"password: ", "canary-typed"},
		{"totp_seed: ", ""},
	} {
		readUntil(t, screen, &shown, q.prompt)
		_, err := screen.WriteString(q.answer + "\n")
		must(t, err)
	}
	readUntil(t, screen, &shown, "stored wiki/agent-01: password, username")
	must(t, cmd.Wait())

	if strings.Contains(shown.String(), "canary") {
		t.Errorf("the terminal shows the password: %q", shown.String())
	}
	if !strings.Contains(shown.String(), "username: agent-01") {
		t.Errorf("the terminal does not show the user name: %q", shown.String())
	}
}

// openTerminal returns both ends of a pseudo-terminal: the person's and the program's.
func openTerminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	must(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	must(t, err)

	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return screen, program
}

// readUntil adds what appears on the screen to shown, until shown has the text.
func readUntil(t *testing.T, screen *os.File, shown *strings.Builder, text string) {
	t.Helper()
	timeout := time.AfterFunc(30*time.Second, func() { _ = screen.Close() })
	defer timeout.Stop()

	b := make([]byte, 1024)
	for !strings.Contains(shown.String(), text) {
		n, err := screen.Read(b)
		if err != nil {
			t.Fatalf("%q did not appear: %v; the terminal shows %q", text, err, shown.String())
		}
		shown.Write(b[:n])
	}
}
