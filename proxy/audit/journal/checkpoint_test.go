package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestCheckpointIsASignedNote reads a checkpoint with the note package alone, as
// a witness would.
func TestCheckpointIsASignedNote(t *testing.T) {
	keyPath := filepath.Join(t.TempDir(), "audit.key")
	if err := WriteKey(keyPath, audit.Origin(audittest.Instance), audittest.Key); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	l.Append(audittest.Intent(1))
	mustClose(t, l)

	vkey := strings.TrimSpace(string(audittest.Must(os.ReadFile(keyPath + ".pub"))))
	verifier := audittest.Must(note.NewVerifier(vkey))
	for r, err := range audit.Tail(t.Context(), dir, 1, false) {
		if err != nil || r.Code != audit.CodeClose {
			t.Fatalf("the last record is %+v (%v), want a closing checkpoint", r, err)
		}
		n, err := note.Open([]byte(r.Checkpoint), note.VerifierList(verifier))
		if err != nil || !strings.HasPrefix(n.Text, "byline/test-1\n1\n") {
			t.Errorf("note.Open returned %+v, %v; want a note of byline/test-1 over one record", n, err)
		}
	}
}
