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

// TestCheckpointIsASignedNote reads a checkpoint with the note package alone,
// as a witness would.
func TestCheckpointIsASignedNote(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	if err := WriteKey(path, audit.Origin("test-1"), audittest.Key); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, Config{Dir: filepath.Join(dir, "log")})
	l.Append(audittest.Intent(1))
	l.Close()
	for r, err := range audit.Tail(t.Context(), filepath.Join(dir, "log"), 1, false) {
		if err != nil || r.Code != audit.CodeClose {
			t.Fatalf("%+v %v", r, err)
		}
		v := audittest.Must(note.NewVerifier(strings.TrimSpace(string(audittest.Must(os.ReadFile(path + ".pub"))))))
		n, err := note.Open([]byte(r.Checkpoint), note.VerifierList(v))
		if err != nil || !strings.HasPrefix(n.Text, "byline/test-1\n1\n") {
			t.Errorf("%v %+v", err, n)
		}
	}
}
