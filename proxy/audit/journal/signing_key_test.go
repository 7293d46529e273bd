package journal

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

func TestKeysComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	key := audittest.Must(NewKey())
	if err := WriteKey(path, audit.Origin("eu west+1"), key); err != nil {
		t.Fatal(err)
	}
	if back, err := LoadKey(path); err != nil || !back.Equal(key) {
		t.Errorf("private key: %v", err)
	}
	pub, err := audit.LoadPublicKey(path + ".pub")
	if err != nil || pub.Name != "byline/eu-west-1" || !pub.Key.Equal(key.Public()) {
		t.Errorf("public key: %v %v", pub, err)
	}
	if fi := audittest.Must(os.Stat(path)); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	if err := WriteKey(path, "byline/x", key); err == nil {
		t.Error("a key was overwritten")
	}
	os.Chmod(path, 0o640)
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
	seed := base64.StdEncoding.EncodeToString(key.Seed())
	os.Chmod(path, 0o600)
	os.WriteFile(path, []byte(signingKeyHeader+seed+"x"), 0o600)
	if _, err := LoadKey(path); err == nil || strings.Contains(err.Error(), seed[:8]) {
		t.Errorf("a damaged key: %v", err)
	}
	for _, bad := range []string{"", "x", "a+b+c", "byline/x+00000000+AQ=="} {
		if _, err := audit.ParsePublicKey(bad); err == nil {
			t.Errorf("public key %q accepted", bad)
		}
	}
}
