package audit

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func keyOf(seed string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize)))
}

// TestI8KeysChangeWithoutRestart changes keys under load and over restarts: who
// has the first public key alone verifies all of it.
func TestI8KeysChangeWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, SegmentBytes: 20_000, CheckpointEvery: time.Millisecond}
	key := testKey
	var ids []string
	for _, seed := range []string{"b", "c", "d"} {
		l, err := Open(cfg, key, "test-1")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fill(t, l, 20)...)
		if err := l.ChangeKey(keyOf(seed)); err != nil {
			t.Fatal(err)
		}
		if err := l.ChangeKey(keyOf(seed)); err != nil {
			t.Errorf("the same key again: %v", err)
		}
		ids = append(ids, fill(t, l, 20)...)
		if err := errors.Join(l.Close(), l.Behind()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg, key, "test-1"); err == nil || !errors.Is(err, errKeyChanged) && !strings.Contains(err.Error(), "restore the key") {
			t.Errorf("the old key: %v", err)
		}
		key = keyOf(seed)
	}
	rep := mustVerify(t, dir, ids...)
	if len(rep.Keys) != 3 || !rep.Closed || !strings.HasPrefix(rep.Keys[2], "byline/test-1+") {
		t.Errorf("%+v", rep)
	}
	newest := PublicKey{Key: key.Public().(ed25519.PublicKey)}
	if _, err := Verify(dir, newest, nil); !errors.Is(err, ErrBroken) {
		t.Errorf("the newest key from the beginning: %v", err)
	}
	b := must(Prove(dir, ids[0], nil))
	if _, err := b.Verify(Trust{Keys: []PublicKey{testPub, newest}}); err != nil {
		t.Error(err)
	}
	if _, err := b.Verify(Trust{Keys: []PublicKey{testPub}}); err == nil {
		t.Error("the newest checkpoint passes under the first key")
	}
	if _, err := VerifyWith(dir, testPub, VerifyOptions{Kept: keptNotes(t, dir)}); err != nil {
		t.Errorf("a checkpoint that the newest key signed: %v", err)
	}
}

// TestI8ForgedKeyIsNotFollowed has somebody without the log's key announce one.
func TestI8ForgedKeyIsNotFollowed(t *testing.T) {
	mallory := must(newSigner("byline/test-1", keyOf("m")))
	for name, c := range map[string]struct {
		by      *signer // in the place of the log's key
		another *signer
		change  func(*Record)
		want    string
	}{
		"by mallory alone":       {mallory, mallory, nil, "signature"},
		"to a key not at hand":   {must(newSigner("byline/test-1", testKey)), nil, func(r *Record) { r.Code, r.Key = sealKey, mallory.public().String() }, "did not sign it"},
		"under another name":     {must(newSigner("byline/test-1", testKey)), must(newSigner("byline/other", keyOf("m"))), nil, "is that of"},
		"of an interval":         {must(newSigner("byline/test-1", testKey)), nil, func(r *Record) { r.Key = mallory.public().String() }, "by no other"},
		"what is no key":         {must(newSigner("byline/test-1", testKey)), nil, func(r *Record) { r.Code, r.Key = sealKey, "x" }, "the announced key"},
		"a code without its key": {must(newSigner("byline/test-1", testKey)), nil, func(r *Record) { r.Code = sealKey }, "by no other"},
	} {
		w := &writer{origin: "byline/test-1", signer: c.by, out: []byte{0}}
		st := state{}
		w.put(&st, 1, 0, appendBody(nil, &Record{Kind: "start"}))
		r := must(w.seal(&st, 1, sealInterval, c.another))
		if c.change != nil { // as one who has the log's key would sign it
			c.change(r)
			again := Checkpoint{Origin: w.origin, Size: st.seq, Root: st.tree.root().base64(), Head: st.head.hex(), Record: carrier(*r, st.seq, st.head, 1).hex()}
			r.Checkpoint = must(signText(again.text(), c.by))
		}
		w.putCheckpoint(&st, 1, r)
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, segmentName(0)), w.out[1:], 0o600)
		rep, err := Verify(dir, testPub, nil)
		if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), c.want) || rep.Bad.Seq != 1 {
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
			if err := WriteKey(path, Origin("test-1"), testKey); err != nil {
				t.Fatal(err)
			}
			l := openLog(t, Config{Dir: dir})
			fill(t, l, 3)
			if err := MakeNextKey(path); err != nil {
				t.Fatal(err)
			}
			if err := MakeNextKey(path); err == nil {
				t.Error("a second key was made over the first")
			}
			next := must(NextKey(path))
			if steps.change {
				if err := l.ChangeKey(next); err != nil {
					t.Fatal(err)
				}
			}
			if steps.takeOver {
				if err := TakeOver(path); err != nil {
					t.Fatal(err)
				}
			}
			l.Close()
			key, err := SettleKey(dir, path)
			if err != nil || key.Equal(next) != steps.change {
				t.Fatalf("settled on the new key: %v, %v", key.Equal(next), err)
			}
			again, err := Open(Config{Dir: dir}, key, "test-1")
			if err != nil {
				t.Fatal(err)
			}
			fill(t, again, 1)
			again.Close()
			keys := must(ParsePublicKeys(string(must(os.ReadFile(path + ".pub")))))
			if _, err := Verify(dir, keys[0], nil); err != nil || steps.change != (len(keys) == 2) {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			if waits := must(NextKey(path)); (waits == nil) != steps.change {
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
			failed := l.ChangeKey(keyOf("b"))
			if failed == nil && f.steady {
				t.Error("changed on a broken disk")
			}
			d.set("")
			awaitRecovery(t, l)
			if err := l.ChangeKey(keyOf("b")); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, fill(t, l, 3)...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if rep := mustVerify(t, cfg.Dir, kept...); len(rep.Keys) != 1 {
				t.Errorf("%v", rep.Keys)
			}
		})
	}
}
