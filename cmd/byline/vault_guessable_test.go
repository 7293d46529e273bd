package main

import (
	"strings"
	"testing"
)

// TestI1SecretsThatCanBeGuessedAreRefused names values of both kinds.
func TestI1SecretsThatCanBeGuessedAreRefused(t *testing.T) {
	for _, bad := range []string{
		"0000", "1234", "4711", "123456", "493817", "2026-11-30", "12345678901", "0493 8171 23", // PINs and numbers
		"a", "hunter2", "canary", "abcdefghijkl", "aaaaaaaaaaaaaaaaaaaa", "abababababab", "zyxwvutsrq", "qwertyuiop", "Asdfghjkl;", "1qaz2wsx3edc", "QWERTZuiop12345", // short or regular
		"password", "Password1!", "P@ssw0rd", "passw0rd2026", "changeme", "Welcome2026!", "letmein123", "Summer2026!", "secret-123", "Passwort123!", "Willkommen1!", // common
		"agent-01", "Agent01!", "agent-01-2026", "wiki", "Wiki2026!!!!", // names
	} {
		secret := map[string]string{"username": "agent-01", "password": bad}
		problems := guessableFields("wiki", "agent-01", secret)
		if len(problems) != 1 || !strings.HasPrefix(problems[0], "field password ") {
			t.Errorf("%q: got %q, want it refused", bad, problems)
		}
		if len(bad) > 8 && strings.Contains(strings.Join(problems, ""), bad) {
			t.Errorf("the reason repeats the value: %q", problems)
		}
	}

	for _, good := range []string{
		"correct horse battery staple", "xK9#mQ2$vL", "8c1f77aa0b2e4d63", "JBSWY3DPEHPK3PXP", "agent-password",
		"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ", "Zwölf Boxkämpfer", "9041 7732 5518 6620",
	} {
		if problems := guessableFields("wiki", "agent-01", map[string]string{"password": good}); problems != nil {
			t.Errorf("%q: got %q, want it accepted", good, problems)
		}
	}
	if problems := guessableFields("wiki", "agent-01", map[string]string{"username": "agent-01", "client_id": "7"}); problems != nil {
		t.Errorf("names that are no secrets are refused: %q", problems)
	}
}

// TestVaultPutRefusesAPIN stores a secret that can be guessed, with and without the flag.
func TestVaultPutRefusesAPIN(t *testing.T) {
	h := initialize(t)
	put := func(args ...string) (int, string) {
		cmd := h.Command(t.Context(), append([]string{"vault", "put", "wiki/agent-01"}, args...)...)
		cmd.Stdin = strings.NewReader("username=agent-01\npin=4711\n")
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}

	if code, out := put(); code != 1 || !strings.Contains(out, "field pin is a short number") || !strings.Contains(out, "--allow-guessable") || strings.Contains(out, "4711") {
		t.Errorf("without the flag: got exit code %d, %s; want 1 with the reason and the remedy", code, out)
	}
	if code, out := put("--allow-guessable"); code != 0 || !strings.Contains(out, "warning: field pin is a short number") {
		t.Errorf("with the flag: got exit code %d, %s; want 0 with a warning", code, out)
	}
}
