package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenIsSentOnlyToThisMachineOrOverTLS connects to addresses of each kind.
func TestTokenIsSentOnlyToThisMachineOrOverTLS(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("x", 40)), 0o600); err != nil {
		t.Fatal(err)
	}

	for address, allowed := range map[string]bool{
		"127.0.0.1:1":                 true,
		"localhost:1":                 true,
		"[::1]:1":                     true,
		"https://byline.acme.example": true,
		"10.1.2.3:1":                  false,
		"http://byline.acme.example":  false,
		"ftp://127.0.0.1":             false,
		"":                            false,
	} {
		if _, err := overTCP(address, token); (err == nil) != allowed {
			t.Errorf("%q: got error %v, want success: %v", address, err, allowed)
		}
	}
}
