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

// TestI8KeysChangeWithoutRestart changes the key of a log while it is written and
// between runs. The first public key alone must verify all of it.
func TestI8KeysChangeWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, SegmentBytes: 20_000, CheckpointEvery: time.Millisecond}
	key := audittest.Key
	var ids []string
	for _, seed := range []string{"b", "c", "d"} {
		ids = append(ids, changeKeyInOneRun(t, cfg, key, audittest.KeyFrom(seed))...)
		key = audittest.KeyFrom(seed)
	}

	report := audittest.Verify(t, dir, ids...)
	if len(report.Keys) != 3 || !report.Closed || !strings.HasPrefix(report.Keys[2], "byline/test-1+") {
		t.Errorf("Verify returned %+v; want a closed log with three later keys of byline/test-1", report)
	}
	newest := audit.PublicKey{Key: key.Public().(ed25519.PublicKey)}
	if _, err := audit.Verify(dir, newest, nil); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("Verify with the newest key returned %v, want ErrBroken", err)
	}

	proof := audittest.Must(audit.Prove(dir, ids[0], nil))
	if _, err := proof.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey, newest}}); err != nil {
		t.Errorf("a proof does not verify with all keys: %v", err)
	}
	if _, err := proof.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}); err == nil {
		t.Error("a proof with a checkpoint of the newest key verifies with the first key")
	}
	kept := []string{audittest.LastCheckpoint(t, dir)}
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: kept}); err != nil {
		t.Errorf("with a kept checkpoint of the newest key Verify returned %v", err)
	}
}

// changeKeyInOneRun opens a log with one key, writes records before and after it
// changes to another, and closes it. It returns the IDs of the records.
func changeKeyInOneRun(t *testing.T, cfg Config, from, to ed25519.PrivateKey) (ids []string) {
	t.Helper()
	l, err := Open(cfg, from, audittest.Instance)
	if err != nil {
		t.Fatal(err)
	}
	ids = writeIntents(t, l, 20)
	if err := l.ChangeKey(to); err != nil {
		t.Fatal(err)
	}
	if err := l.ChangeKey(to); err != nil {
		t.Errorf("ChangeKey with the key that signs already returned %v", err)
	}
	ids = append(ids, writeIntents(t, l, 20)...)
	if err := errors.Join(l.Close(), l.PublishErr()); err != nil {
		t.Fatal(err)
	}

	_, err = Open(cfg, from, audittest.Instance)
	if err == nil || !errors.Is(err, errKeyChanged) && !strings.Contains(err.Error(), "restore the key") {
		t.Errorf("Open with the old key returned %v, want an error that says that the key was changed", err)
	}
	return ids
}

// TestI8ForgedKeyIsNotFollowed writes announcements of keys that no honest writer
// makes.
func TestI8ForgedKeyIsNotFollowed(t *testing.T) {
	logKey := audittest.Must(newSigner("byline/test-1", audittest.Key))
	mallory := audittest.Must(newSigner("byline/test-1", audittest.KeyFrom("m")))
	otherName := audittest.Must(newSigner("byline/other", audittest.KeyFrom("m")))
	for name, c := range map[string]struct {
		signer *signer
		newKey *signer             // that signs too
		change func(*audit.Record) // changes the checkpoint before signer signs it again
		want   string              // in the fault
	}{
		"signed by the new key alone":  {signer: mallory, newKey: mallory, want: "signature"},
		"not signed by the new key":    {logKey, nil, func(r *audit.Record) { r.Code, r.Key = audit.CodeKey, mallory.public().String() }, "did not sign it"},
		"new key under another name":   {signer: logKey, newKey: otherName, want: "belongs to"},
		"key on another checkpoint":    {logKey, nil, func(r *audit.Record) { r.Key = mallory.public().String() }, "no others may"},
		"not a key":                    {logKey, nil, func(r *audit.Record) { r.Code, r.Key = audit.CodeKey, "x" }, "the announced key"},
		"announcement without its key": {logKey, nil, func(r *audit.Record) { r.Code = audit.CodeKey }, "no others may"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &writer{cfg: Config{now: time.Now}, origin: "byline/test-1", signer: c.signer, buf: []byte{0}}
			st := state{}
			w.appendLine(&st, 1, 0, audit.AppendBody(nil, &audit.Record{Kind: "start"}))
			r := audittest.Must(w.newCheckpoint(&st, 1, audit.CodeInterval, c.newKey))
			if c.change != nil {
				c.change(r)
				checkpoint := audit.Checkpoint{
					Origin: w.origin,
					Size:   st.seq,
					Root:   st.tree.Root().Base64(),
					Head:   st.head.Hex(),
					Record: audit.CheckpointRecordHash(*r, st.seq, st.head, 1).Hex(),
				}
				signed := audittest.Must(note.Sign(&note.Note{Text: checkpoint.Text()}, c.signer))
				r.Checkpoint = string(signed)
			}
			w.appendCheckpoint(&st, 1, r)

			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, segment.Name(0)), w.buf[1:], 0o600)
			report, err := audit.Verify(dir, audittest.PublicKey, nil)
			if !errors.Is(err, audit.ErrBroken) || !strings.Contains(err.Error(), c.want) || report.Bad.Seq != 1 {
				t.Errorf("Verify returned %v, want a fault at seq 1 with %q", err, c.want)
			}
		})
	}
}

// TestKeyChangeIsFinishedAfterACrash stops a change of keys after each step and
// starts again.
func TestKeyChangeIsFinishedAfterACrash(t *testing.T) {
	for name, done := range map[string]struct{ announced, installed bool }{
		"after CreateNextKey":  {false, false},
		"after ChangeKey":      {true, false},
		"after InstallNextKey": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			path := filepath.Join(home, "audit.key")
			dir := filepath.Join(home, "log")
			if err := WriteKey(path, audit.Origin(audittest.Instance), audittest.Key); err != nil {
				t.Fatal(err)
			}
			l := openLog(t, Config{Dir: dir})
			writeIntents(t, l, 3)

			if err := CreateNextKey(path); err != nil {
				t.Fatal(err)
			}
			if err := CreateNextKey(path); err == nil {
				t.Error("CreateNextKey overwrote a next key")
			}
			next := audittest.Must(LoadNextKey(path))
			if done.announced {
				if err := l.ChangeKey(next); err != nil {
					t.Fatal(err)
				}
			}
			if done.installed {
				if err := InstallNextKey(path); err != nil {
					t.Fatal(err)
				}
			}
			mustClose(t, l)

			key, err := FinishKeyChange(dir, path)
			if err != nil || key.Equal(next) != done.announced {
				t.Fatalf("FinishKeyChange returned the next key: %v, %v; want %v", key.Equal(next), err, done.announced)
			}
			l, err = Open(Config{Dir: dir}, key, audittest.Instance)
			if err != nil {
				t.Fatal(err)
			}
			writeIntents(t, l, 1)
			mustClose(t, l)

			wantKeys := 1
			if done.announced {
				wantKeys = 2
			}
			keys := audittest.Must(audit.ParsePublicKeys(string(audittest.Must(os.ReadFile(path + ".pub")))))
			if len(keys) != wantKeys {
				t.Errorf("the file of public keys has %d keys, want %d", len(keys), wantKeys)
			}
			if _, err := audit.Verify(dir, keys[0], nil); err != nil {
				t.Errorf("with the first key Verify returned %v", err)
			}
			if waiting := audittest.Must(LoadNextKey(path)); (waiting == nil) != done.announced {
				t.Errorf("a next key waits: %v, want %v", waiting != nil, !done.announced)
			}
		})
	}
}

// TestKeyChangeSurvivesDiskFaults sets each fault during a change of keys. After
// that the log must recover, verify, and accept the change.
func TestKeyChangeSurvivesDiskFaults(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			d := &faultDisk{}
			cfg := Config{Dir: t.TempDir(), CheckpointEvery: time.Hour, disk: d}
			l := openLog(t, cfg)
			ids := writeIntents(t, l, 8)

			d.set(fault.name)
			err := l.ChangeKey(audittest.KeyFrom("b"))
			if err == nil && fault.everyCommit {
				t.Error("ChangeKey returned nil on a broken disk")
			}
			d.set("")
			waitForRecovery(t, l)

			if err := l.ChangeKey(audittest.KeyFrom("b")); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, writeIntents(t, l, 3)...)
			mustClose(t, l)
			if report := audittest.Verify(t, cfg.Dir, ids...); len(report.Keys) != 1 {
				t.Errorf("the log announced the keys %v, want one", report.Keys)
			}
		})
	}
}
