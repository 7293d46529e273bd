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

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	key := audittest.Must(NewKey())
	if err := WriteKey(path, audit.Origin("eu west+1"), key); err != nil {
		t.Fatal(err)
	}

	if read, err := LoadKey(path); err != nil || !read.Equal(key) {
		t.Errorf("LoadKey returned another key, or %v", err)
	}
	pub, err := audit.LoadPublicKey(path + ".pub")
	if err != nil || pub.Name != "byline/eu-west-1" || !pub.Key.Equal(key.Public()) {
		t.Errorf("LoadPublicKey returned %v, %v; want the public key under the name byline/eu-west-1", pub, err)
	}
	if info := audittest.Must(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("the signing key has mode %v, want 0600", info.Mode())
	}
	if err := WriteKey(path, "byline/x", key); err == nil {
		t.Error("WriteKey overwrote a key")
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	key := audittest.Must(NewKey())
	if err := WriteKey(path, "byline/x", key); err != nil {
		t.Fatal(err)
	}

	os.Chmod(path, 0o640)
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("LoadKey of a file with mode 0640 returned %v, want the remedy chmod 600", err)
	}

	seed := base64.StdEncoding.EncodeToString(key.Seed())
	os.Chmod(path, 0o600)
	os.WriteFile(path, []byte(signingKeyHeader+seed+"x"), 0o600)
	if _, err := LoadKey(path); err == nil || strings.Contains(err.Error(), seed[:8]) {
		t.Errorf("LoadKey of a damaged file returned %v, want an error without the key", err)
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	for _, text := range []string{"", "x", "a+b+c", "byline/x+00000000+AQ=="} {
		if _, err := audit.ParsePublicKey(text); err == nil {
			t.Errorf("ParsePublicKey accepted %q", text)
		}
	}
}
