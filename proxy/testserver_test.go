package proxy

import (
	"crypto/ed25519"
	"os"
	"testing"

	"github.com/byline-proxy/byline/proxy/vault"
)

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(path string) ([]byte, error) { return os.ReadFile(path) }

// testKey is the vault key of a test's directory, made at first use.
func testKey(t testing.TB, dir string) vault.Key {
	t.Helper()
	path := dir + "/vault.key"
	if _, err := os.Stat(path); err != nil {
		if err := vault.WriteKey(path, vault.GenerateKey()); err != nil {
			t.Fatal(err)
		}
	}
	key, err := vault.LoadKey(vault.Config{KeyFile: path})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testAuditKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }
