package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestI10ADamagedFileIsAnError opens what a full disk, a bad copy or another
// program leaves of a file.
func TestI10ADamagedFileIsAnError(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	b, err := OpenBolt(good, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		if err := b.PutTask(Task{ID: fmt.Sprint("t_", i), Doc: bytes.Repeat([]byte{1}, 200)}); err != nil {
			t.Fatal(err)
		}
	}
	var used int64 // the file may be larger: it grows ahead
	if err := b.db.View(func(tx *bolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := map[string][]byte{"garbage": bytes.Repeat([]byte("garbage!"), 8192), "one byte": {1}}
	for size := 4096; size < int(used); size += 4096 {
		spoiled[fmt.Sprint("cut at ", size)] = text[:size]
	}
	for name, text := range spoiled {
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBolt(path, nil)
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), "state: open "+path) {
			t.Errorf("%s: %v does not name the file", name, err)
		}
	}
}
