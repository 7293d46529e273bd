package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenFile makes a token at the first start, finds the same at the second, and
// refuses a file that others can read.
func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d", "token")
	made, err := MakeToken(path)
	if err != nil {
		t.Fatal(err)
	}

	again, err := MakeToken(path)
	if err != nil || again.Reveal() != made.Reveal() {
		t.Fatalf("second start: error %v, same token: %v", err, again.Reveal() == made.Reveal())
	}

	if s := fmt.Sprintf("%v %+v %#v %s %q", made, made, made, made, made); strings.Contains(s, made.Reveal()) {
		t.Fatal("a print verb reveals the token")
	}

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadToken(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("a file of mode 0644: got error %v, want one that names chmod 600", err)
	}
}
