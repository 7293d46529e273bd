package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const somePEM = "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"

// writeRoot writes a file that has the form of a root, and returns its path.
func writeRoot(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.crt")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// lookPath returns the path of a program, and skips the test if it is not installed.
func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

func TestRunPassesTheExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143} {
		if got, err := runProgram([]string{"sh", "-c", script}, os.Environ(), nil); err != nil || got != want {
			t.Errorf("%s: got %d %v, want %d", script, got, err, want)
		}
	}
}

// TestRunPassesSignals sends a signal that comes before the program has started.
func TestRunPassesSignals(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	got, err := runProgram([]string{"sleep", "20"}, os.Environ(), signals)
	if err != nil || got != 143 {
		t.Fatalf("got %d %v, want 143", got, err)
	}
}

// TestI1RunKeepsSecretsFromTheProgram checks that variables which are meant for Byline are not
// in the environment of the program that it runs.
func TestI1RunKeepsSecretsFromTheProgram(t *testing.T) {
	t.Setenv("PATH", "/nowhere") // without certutil
	for _, name := range []string{"BYLINE_SECRET_WIKI_A1_PASSWORD", "BYLINE_VAULT_KEY", "BYLINE_TOKEN_FILE", "CREDENTIALS_DIRECTORY", "ACME_VAULT_KEY"} {
		t.Setenv(name, "canary-"+name)
	}
	t.Setenv("KEPT", "kept")
	t.Setenv("NODE_OPTIONS", "--max-old-space-size=99")

	e, err := newEnvironment(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, writeRoot(t, somePEM), "localhost")
	must(t, err)
	defer e.remove()
	e.withhold = []string{"ACME_VAULT_KEY"}
	env := e.variables("t_1")

	for _, pair := range env {
		if strings.Contains(pair, "canary") {
			t.Errorf("the program gets %s", pair)
		}
	}
	for _, want := range []string{
		"KEPT=kept",
		"BYLINE_TASK=t_1",
		"NO_PROXY=localhost",
		"https_proxy=http://127.0.0.1:1",
		"CURL_CA_BUNDLE=" + e.bundle,
		"NODE_EXTRA_CA_CERTS=" + e.root,
		`NODE_OPTIONS=--max-old-space-size=99 --require="` + e.preload + `"`,
	} {
		if !slices.Contains(env, want) {
			t.Errorf("the program does not get %s", want)
		}
	}

	bundle, err := os.ReadFile(e.bundle)
	if err != nil || !strings.HasSuffix(string(bundle), somePEM) {
		t.Errorf("the bundle does not end with the root: %v", err)
	}
	if noRoots := readSystemRoots() == nil; noRoots != (len(e.warnings) == 1) {
		t.Errorf("warnings: %q, system roots missing: %v", e.warnings, noRoots)
	}
}

// TestWgetKeepsItsOwnStartupFile checks that ours adds one line to the user's.
func TestWgetKeepsItsOwnStartupFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("WGETRC", "")
	own, path := filepath.Join(home, ".wgetrc"), filepath.Join(home, "new")

	for text, want := range map[string]string{
		"":          "\nca_certificate = /b\n",
		"tries = 3": "tries = 3\nca_certificate = /b\n",
	} {
		if text != "" {
			must(t, os.WriteFile(own, []byte(text), 0o600))
		}
		must(t, writeWgetrc(path, "/b"))
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("with the user's file %q: got %q %v, want %q", text, got, err, want)
		}
		_ = os.Remove(own)
	}
}

func TestRunRefusesAFileThatIsNotARoot(t *testing.T) {
	_, err := newEnvironment(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, writeRoot(t, "nothing\n"), "")
	if err == nil {
		t.Fatal("a file without a certificate was accepted as root")
	}
}

func TestAllowIsParsedAndFormatted(t *testing.T) {
	allow := []string{"mediawiki:page.read,page.edit", "mediawiki:page.delete@page/A:B@C,*"}
	got, err := parseScope(allow)
	if want := strings.Join(allow, " "); err != nil || formatScope(got) != want {
		t.Fatalf("got %s %v, want %s", formatScope(got), err, want)
	}

	if _, err := parseScope([]string{"wiki:a@"}); err == nil || !strings.Contains(err.Error(), "--allow") {
		t.Errorf("--allow wiki:a@ failed with %v, want an error that names the flag", err)
	}
}
