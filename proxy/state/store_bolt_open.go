package state

import (
	"fmt"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// whole opens the file and reads all of it once. bbolt maps the file and
// believes what it finds there: of one that was cut short or overwritten it
// panics, or the kernel sends SIGBUS. Better now, with an error, than with an
// exchange under way. A lock that such an open took is held until the process
// ends.
func whole(path string, opt *bolt.Options) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("the file is damaged: %v", r)
		}
	}()
	db, err = bolt.Open(path, 0o600, opt)
	if err != nil {
		return nil, err
	}
	if err = db.View(readAll(path)); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func readAll(path string) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		if st.Size() < tx.Size() {
			return fmt.Errorf("the file is damaged: it has %d bytes of %d", st.Size(), tx.Size())
		}
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return nil })
		})
	}
}
