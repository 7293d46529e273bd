package state

import (
	"fmt"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// openChecked opens the file and reads all of it once. bbolt maps the file into
// memory and trusts its content: if the file was cut short or overwritten, a
// read panics or raises SIGBUS. openChecked turns that into an error before any
// exchange depends on the file. The lock of a failed open is held until the
// process ends.
func openChecked(path string, opt *bolt.Options) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
	defer func() {
		if r := recover(); r != nil {
			db = nil
			err = fmt.Errorf("the file is damaged: %v", r)
		}
	}()

	db, err = bolt.Open(path, 0o600, opt)
	if err != nil {
		return nil, err
	}
	if err := db.View(func(tx *bolt.Tx) error { return readEverything(tx, path) }); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func readEverything(tx *bolt.Tx, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("the file is damaged: it has %d bytes of %d", info.Size(), tx.Size())
	}

	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
}
