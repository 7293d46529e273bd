package journal

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestI8KeysChangeWithoutRestart changes keys under load and over restarts: who
// has the first public key alone verifies all of it.
func TestI8KeysChangeWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, SegmentBytes: 20_000, CheckpointEvery: time.Millisecond}
	key := audittest.Key
	var ids []string
	for _, seed := range []string{"b", "c", "d"} {
		l, err := Open(cfg, key, "test-1")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fill(t, l, 20)...)
		if err := l.ChangeKey(audittest.KeyFrom(seed)); err != nil {
			t.Fatal(err)
		}
		if err := l.ChangeKey(audittest.KeyFrom(seed)); err != nil {
			t.Errorf("the same key again: %v", err)
		}
		ids = append(ids, fill(t, l, 20)...)
		if err := errors.Join(l.Close(), l.PublishErr()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg, key, "test-1"); err == nil || !errors.Is(err, errKeyChanged) && !strings.Contains(err.Error(), "restore the key") {
			t.Errorf("the old key: %v", err)
		}
		key = audittest.KeyFrom(seed)
	}
	rep := audittest.Verify(t, dir, ids...)
	if len(rep.Keys) != 3 || !rep.Closed || !strings.HasPrefix(rep.Keys[2], "byline/test-1+") {
		t.Errorf("%+v", rep)
	}
	newest := audit.PublicKey{Key: key.Public().(ed25519.PublicKey)}
	if _, err := audit.Verify(dir, newest, nil); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("the newest key from the beginning: %v", err)
	}
	b := audittest.Must(audit.Prove(dir, ids[0], nil))
	if _, err := b.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey, newest}}); err != nil {
		t.Error(err)
	}
	if _, err := b.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}); err == nil {
		t.Error("the newest checkpoint passes under the first key")
	}
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: []string{audittest.LastCheckpoint(t, dir)}}); err != nil {
		t.Errorf("a checkpoint that the newest key signed: %v", err)
	}
}

// TestI8ForgedKeyIsNotFollowed has somebody without the log's key announce one.
func TestI8ForgedKeyIsNotFollowed(t *testing.T) {
	mallory := audittest.Must(newSigner("byline/test-1", audittest.KeyFrom("m")))
	for name, c := range map[string]struct {
		by      *signer // in the place of the log's key
		another *signer
		change  func(*audit.Record)
		want    string
	}{
		"by mallory alone":       {mallory, mallory, nil, "signature"},
		"to a key not at hand":   {audittest.Must(newSigner("byline/test-1", audittest.Key)), nil, func(r *audit.Record) { r.Code, r.Key = audit.CodeKey, mallory.public().String() }, "did not sign it"},
		"under another name":     {audittest.Must(newSigner("byline/test-1", audittest.Key)), audittest.Must(newSigner("byline/other", audittest.KeyFrom("m"))), nil, "belongs to"},
		"of an interval":         {audittest.Must(newSigner("byline/test-1", audittest.Key)), nil, func(r *audit.Record) { r.Key = mallory.public().String() }, "no others may"},
		"what is no key":         {audittest.Must(newSigner("byline/test-1", audittest.Key)), nil, func(r *audit.Record) { r.Code, r.Key = audit.CodeKey, "x" }, "the announced key"},
		"a code without its key": {audittest.Must(newSigner("byline/test-1", audittest.Key)), nil, func(r *audit.Record) { r.Code = audit.CodeKey }, "no others may"},
	} {
		w := &writer{origin: "byline/test-1", signer: c.by, buf: []byte{0}}
		st := state{}
		w.appendLine(&st, 1, 0, audit.AppendBody(nil, &audit.Record{Kind: "start"}))
		r := audittest.Must(w.newCheckpoint(&st, 1, audit.CodeInterval, c.another))
		if c.change != nil { // as one who has the log's key would sign it
			c.change(r)
			again := audit.Checkpoint{Origin: w.origin, Size: st.seq, Root: st.tree.Root().Base64(), Head: st.head.Hex(), Record: audit.CheckpointRecordHash(*r, st.seq, st.head, 1).Hex()}
			r.Checkpoint = audittest.Must(signText(again.Text(), c.by))
		}
		w.appendCheckpoint(&st, 1, r)
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, segment.Name(0)), w.buf[1:], 0o600)
		rep, err := audit.Verify(dir, audittest.PublicKey, nil)
		if !errors.Is(err, audit.ErrBroken) || !strings.Contains(err.Error(), c.want) || rep.Bad.Seq != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeyFilesFollowTheLog stops between any two steps of a change of keys and
// starts again.
func TestKeyFilesFollowTheLog(t *testing.T) {
	for name, steps := range map[string]struct{ change, takeOver bool }{
		"made only":        {false, false},
		"announced":        {true, false},
		"announced, moved": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			path, dir := filepath.Join(home, "audit.key"), filepath.Join(home, "log")
			if err := WriteKey(path, audit.Origin("test-1"), audittest.Key); err != nil {
				t.Fatal(err)
			}
			l := openLog(t, Config{Dir: dir})
			fill(t, l, 3)
			if err := CreateNextKey(path); err != nil {
				t.Fatal(err)
			}
			if err := CreateNextKey(path); err == nil {
				t.Error("a second key was made over the first")
			}
			next := audittest.Must(LoadNextKey(path))
			if steps.change {
				if err := l.ChangeKey(next); err != nil {
					t.Fatal(err)
				}
			}
			if steps.takeOver {
				if err := InstallNextKey(path); err != nil {
					t.Fatal(err)
				}
			}
			l.Close()
			key, err := FinishKeyChange(dir, path)
			if err != nil || key.Equal(next) != steps.change {
				t.Fatalf("settled on the new key: %v, %v", key.Equal(next), err)
			}
			again, err := Open(Config{Dir: dir}, key, "test-1")
			if err != nil {
				t.Fatal(err)
			}
			fill(t, again, 1)
			again.Close()
			keys := audittest.Must(audit.ParsePublicKeys(string(audittest.Must(os.ReadFile(path + ".pub")))))
			if _, err := audit.Verify(dir, keys[0], nil); err != nil || steps.change != (len(keys) == 2) {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			if waits := audittest.Must(LoadNextKey(path)); (waits == nil) != steps.change {
				t.Errorf("a key waits: %v", waits != nil)
			}
		})
	}
}

// TestFaultsWhileKeysChange breaks the disk in every way under a change of keys:
// one of the two keys opens the log afterwards, and it is whole.
func TestFaultsWhileKeysChange(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			d := &faultDisk{}
			cfg := Config{Dir: t.TempDir(), CheckpointEvery: time.Hour, disk: d}
			l := openLog(t, cfg)
			kept := fill(t, l, 8)
			d.set(f.name)
			failed := l.ChangeKey(audittest.KeyFrom("b"))
			if failed == nil && f.steady {
				t.Error("changed on a broken disk")
			}
			d.set("")
			awaitRecovery(t, l)
			if err := l.ChangeKey(audittest.KeyFrom("b")); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, fill(t, l, 3)...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if rep := audittest.Verify(t, cfg.Dir, kept...); len(rep.Keys) != 1 {
				t.Errorf("%v", rep.Keys)
			}
		})
	}
}

func signText(text string, s note.Signer) (string, error) {
	b, err := note.Sign(&note.Note{Text: text}, s)
	return string(b), err
}
