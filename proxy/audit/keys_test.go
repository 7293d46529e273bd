package audit

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

func TestKeysComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	key := must(NewKey())
	if err := WriteKey(path, Origin("eu west+1"), key); err != nil {
		t.Fatal(err)
	}
	if back, err := LoadKey(path); err != nil || !back.Equal(key) {
		t.Errorf("private key: %v", err)
	}
	pub, err := LoadPublicKey(path + ".pub")
	if err != nil || pub.Name != "byline/eu-west-1" || !pub.Key.Equal(key.Public()) {
		t.Errorf("public key: %v %v", pub, err)
	}
	if fi := must(os.Stat(path)); fi.Mode().Perm() != 0o600 {
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
	os.WriteFile(path, []byte(keyHeader+seed+"x"), 0o600)
	if _, err := LoadKey(path); err == nil || strings.Contains(err.Error(), seed[:8]) {
		t.Errorf("a damaged key: %v", err)
	}
	for _, bad := range []string{"", "x", "a+b+c", "byline/x+00000000+AQ=="} {
		if _, err := ParsePublicKey(bad); err == nil {
			t.Errorf("public key %q accepted", bad)
		}
	}
}

// TestCheckpointIsASignedNote reads a checkpoint with the note package alone,
// as a witness would.
func TestCheckpointIsASignedNote(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	if err := WriteKey(path, Origin("test-1"), testKey); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, Config{Dir: filepath.Join(dir, "log")})
	l.Append(intent(1))
	l.Close()
	for r, err := range Tail(t.Context(), filepath.Join(dir, "log"), 1, false) {
		if err != nil || r.Code != sealClose {
			t.Fatalf("%+v %v", r, err)
		}
		v := must(note.NewVerifier(strings.TrimSpace(string(must(os.ReadFile(path + ".pub"))))))
		n, err := note.Open([]byte(r.Checkpoint), note.VerifierList(v))
		if err != nil || !strings.HasPrefix(n.Text, "byline/test-1\n1\n") {
			t.Errorf("%v %+v", err, n)
		}
	}
}

func TestFindShowsTheExchange(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	k := l.Append(intent(1))
	l.Append(intent(2))
	l.Append(&Record{Kind: "outcome", Intent: k.ID(), Status: 302})
	l.Close()
	found, err := Find(dir, k.ID())
	if err != nil || len(found) != 2 || found[0].Kind != "intent" || found[1].Status != 302 {
		t.Errorf("%+v %v", found, err)
	}
	if none, err := Find(dir, "r_none"); none != nil || err != nil {
		t.Errorf("%v %v", none, err)
	}
}

func TestTailShowsTheLastAndFollows(t *testing.T) {
	dir, lines := sealedLog(t)
	for _, n := range []int{0, 1, 5, len(lines), len(lines) + 5} {
		want := uint64(max(0, len(lines)-n))
		for r, err := range Tail(t.Context(), dir, n, false) {
			if err != nil || r.Seq != want {
				t.Fatalf("tail %d: seq %d, want %d: %v", n, r.Seq, want, err)
			}
			want++
		}
		if want != uint64(len(lines)) {
			t.Errorf("tail %d ended at seq %d of %d", n, want, len(lines))
		}
	}
	l := openLog(t, Config{Dir: dir, SegmentBytes: 4096})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	started := make(chan bool)
	var wrote []string
	go func() {
		<-started
		for n := range 30 { // over several segments
			wrote = append(wrote, l.Append(intent(n)).ID())
			time.Sleep(10 * time.Millisecond)
		}
		l.Append(&Record{Kind: "stop"})
	}()
	var saw []string
	next := uint64(len(lines) - 1)
	for r, err := range Tail(ctx, dir, 1, true) {
		if err != nil || r.Seq != next {
			t.Fatalf("seq %d, want %d: %v", r.Seq, next, err)
		}
		if next++; next == uint64(len(lines)) {
			close(started)
		}
		if r.Kind == "intent" {
			saw = append(saw, r.ID)
		}
		if r.Kind == "stop" {
			break
		}
	}
	if !slices.Equal(saw, wrote) {
		t.Errorf("followed %d of %d records", len(saw), len(wrote))
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(must(note.NewEd25519VerifierKey("byline/x", testPub.Key)))
	f.Add("a+00000000+AQ==")
	f.Add("+")
	f.Fuzz(func(t *testing.T, s string) {
		if pub, err := ParsePublicKey(s); err == nil && pub.String() != strings.TrimSpace(s) {
			t.Errorf("%q was read as %q", s, pub)
		}
	})
}

func signText(text string, s note.Signer) (string, error) {
	b, err := note.Sign(&note.Note{Text: text}, s)
	return string(b), err
}
