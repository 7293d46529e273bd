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
// program can leave of a file.
func TestI10ADamagedFileIsAnError(t *testing.T) {
	text, used := boltFileWithTasks(t)
	damaged := map[string][]byte{
		"garbage":  bytes.Repeat([]byte("garbage!"), 8192),
		"one byte": {1},
	}
	for size := 4096; size < used; size += 4096 {
		damaged[fmt.Sprint("cut at ", size)] = text[:size]
	}

	for name, text := range damaged {
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBolt(path, nil)
		if err == nil {
			_ = b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "state: open "+path) {
			t.Errorf("%s: OpenBolt returned %v, want an error with the path", name, err)
		}
	}
}

// boltFileWithTasks returns a file with 400 tasks and how many of its bytes are
// in use: bbolt grows files ahead.
func boltFileWithTasks(t *testing.T) (text []byte, used int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good.db")
	b := must(OpenBolt(path, nil))(t)
	for i := range 400 {
		wantNil(t, "PutTask", b.PutTask(Task{ID: fmt.Sprint("t_", i), Doc: bytes.Repeat([]byte{1}, 200)}))
	}
	err := b.db.View(func(tx *bolt.Tx) error {
		used = int(tx.Size())
		return nil
	})
	wantNil(t, "View", err)
	wantNil(t, "Close", b.Close())
	return must(os.ReadFile(path))(t), used
}
