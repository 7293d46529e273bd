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

	"github.com/byline-proxy/byline/proxy/admin"
)

const somePEM = "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"

func someRoot(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(path, []byte(somePEM), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInsidePassesTheExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143} {
		if got, err := runProgram([]string{"sh", "-c", script}, os.Environ(), nil); err != nil || got != want {
			t.Errorf("%s: got %d %v, want %d", script, got, err, want)
		}
	}
}

func TestInsidePassesSignalsOn(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM // before the program has started: it waits for it
	got, err := runProgram([]string{"sleep", "20"}, os.Environ(), signals)
	if err != nil || got != 143 {
		t.Fatalf("got %d %v, want 143", got, err)
	}
}

// TestI1RunKeepsSecretsFromTheProgram holds that what is meant for Byline is
// not in the environment of the program it runs.
func TestI1RunKeepsSecretsFromTheProgram(t *testing.T) {
	t.Setenv("PATH", "/nowhere") // without certutil
	for _, name := range []string{"BYLINE_SECRET_WIKI_A1_PASSWORD", "BYLINE_VAULT_KEY", "BYLINE_TOKEN_FILE", "CREDENTIALS_DIRECTORY", "ACME_VAULT_KEY"} {
		t.Setenv(name, "canary-"+name)
	}
	t.Setenv("KEPT", "kept")
	t.Setenv("NODE_OPTIONS", "--max-old-space-size=99")
	s, err := newEnvironment(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, someRoot(t), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	s.withhold = []string{"ACME_VAULT_KEY"}
	env := s.variables("t_1", "blt_x")
	for _, pair := range env {
		if strings.Contains(pair, "canary") {
			t.Errorf("%s is passed on", pair)
		}
	}
	for _, want := range []string{"KEPT=kept", "BYLINE_TASK=t_1", "NO_PROXY=localhost", "https_proxy=http://t_1:blt_x@127.0.0.1:1", "CURL_CA_BUNDLE=" + s.bundle,
		"NODE_EXTRA_CA_CERTS=" + s.root, `NODE_OPTIONS=--max-old-space-size=99 --require="` + s.preload + `"`} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if b, err := os.ReadFile(s.bundle); err != nil || !strings.HasSuffix(string(b), somePEM) {
		t.Errorf("bundle: %v", err)
	}
	if len(readSystemRoots()) == 0 != (len(s.warnings) == 1) {
		t.Errorf("warnings: %q", s.warnings)
	}
}

// TestWgetKeepsItsOwnStartupFile holds that ours adds one line to a person's.
func TestWgetKeepsItsOwnStartupFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("WGETRC", "")
	path := filepath.Join(home, "new")
	for have, want := range map[string]string{"": "\nca_certificate = /b\n", "tries = 3": "tries = 3\nca_certificate = /b\n"} {
		if have != "" {
			if err := os.WriteFile(filepath.Join(home, ".wgetrc"), []byte(have), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeWgetrc(path, "/b"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("with %q: %q %v", have, got, err)
		}
		_ = os.Remove(filepath.Join(home, ".wgetrc"))
	}
}

func TestSurroundRefusesWhatIsNoRoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(path, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newEnvironment(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, path, ""); err == nil {
		t.Fatal("it was taken")
	}
}

func TestScopeOf(t *testing.T) {
	got, err := parseScope([]string{"mediawiki:page.read,page.edit", "mediawiki:page.delete@page/A:B@C,*"})
	want := "mediawiki:page.read,page.edit mediawiki:page.delete@page/A:B@C,*"
	if err != nil || formatScope(got) != want {
		t.Fatalf("got %s %v, want %s", formatScope(got), err, want)
	}
	if n := len(got[1].Resources); n != 1 {
		t.Fatalf("a resource was cut into %d", n)
	}
	if formatScope([]admin.ScopeEntry{{Adapter: "w", Actions: []string{"a"}, Resources: []string{"x", "y"}}}) != "w:a@x w:a@y" {
		t.Fatal("two resources are not two of --allow")
	}
	for _, bad := range []string{"", "wiki", "wiki:", ":a", "wiki:a@"} {
		if _, err := parseScope([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}
