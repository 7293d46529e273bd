package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

const (
	// boltLockWait bounds the wait for another process that has the file open.
	boltLockWait = 2 * time.Second
	// boltBatchDelay is how long a single write waits for others to share its
	// sync.
	boltBatchDelay = 500 * time.Microsecond
)

// The buckets of the file. Tasks and leases are JSON with the names of the
// struct fields; the keys of leases and sessions are those of boltKey.
var (
	tasksBucket    = []byte("tasks")
	leasesBucket   = []byte("leases") // its sequence is the last fence
	sessionsBucket = []byte("sessions")
	sightsBucket   = []byte("sights")

	quarantineBucket = []byte("quarantine")
	loginsBucket     = []byte("logins")
	stepsBucket      = []byte("login_steps") // JSON lists of numbers by key
)

func init() {
	registerStore("bolt", func(path string, now func() time.Time) (Store, error) { return OpenBolt(path, now) })
}

// DefaultURL returns the URL of the store that an instance keeps in its data
// directory: the file state.db.
func DefaultURL(dataDir string) string {
	return "bolt:" + filepath.Join(dataDir, "state.db")
}

// Bolt is a [Store] in one file, for one process. Writes that arrive together
// share one sync. Its URL is bolt: and the path.
type Bolt struct {
	db  *bolt.DB
	now func() time.Time
}

// OpenBolt opens or creates the file with mode 0600. A nil now is time.Now.
// It fails after two seconds if another process has the file open, and at once
// if the file was cut short or overwritten.
func OpenBolt(path string, now func() time.Time) (*Bolt, error) {
	if now == nil {
		now = time.Now
	}

	db, err := openChecked(path, &bolt.Options{Timeout: boltLockWait, FreelistType: bolt.FreelistMapType, OpenFile: durable.OpenFile})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("state: %s is open in another process: stop that byline, or give this one its own data_dir", path)
	}
	if err != nil {
		return nil, fmt.Errorf("state: open %s: %w", path, err)
	}
	db.MaxBatchDelay = boltBatchDelay

	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{tasksBucket, leasesBucket, sessionsBucket, sightsBucket, quarantineBucket, loginsBucket, stepsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return raiseFence(tx.Bucket(leasesBucket), now())
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: prepare %s: %w", path, err), db.Close())
	}
	return &Bolt{db, now}, nil
}

// raiseFence makes the next fence higher than those that were given after the file
// was copied, if the file is an old copy: lease ids on record are made of fences.
func raiseFence(leases *bolt.Bucket, now time.Time) error {
	floor := now.UnixMilli()
	if floor < 0 || leases.Sequence() >= uint64(floor) {
		return nil
	}
	return leases.SetSequence(uint64(floor))
}

// boltKey is the key of an account. Two accounts never share a key: JSON escapes
// the quote that ends a name.
func boltKey(adapter, account string) []byte {
	key, _ := json.Marshal([2]string{adapter, account}) // strings always marshal
	return key
}

// write runs fn in a transaction that it may share with other writes. A verdict
// is an answer to the caller, like ErrHeld, and does not roll back the others; a
// failure does. fn runs again if another write of the transaction fails.
func (b *Bolt) write(fn func(tx *bolt.Tx) (verdict, failure error)) error {
	var verdict error
	err := b.db.Batch(func(tx *bolt.Tx) (failure error) {
		verdict, failure = fn(tx)
		return failure
	})
	if err != nil {
		return boltError(err)
	}
	return verdict
}

func (b *Bolt) read(fn func(tx *bolt.Tx) error) error {
	return boltError(b.db.View(fn))
}

// writeFenced runs fn in a transaction if the fence is the account's.
func (b *Bolt) writeFenced(adapter, account string, fence uint64, fn func(tx *bolt.Tx, key []byte, l Lease) error) error {
	key := boltKey(adapter, account)
	return b.write(func(tx *bolt.Tx) (error, error) {
		l, err := readLease(tx, key)
		if err != nil {
			return nil, err
		}
		if verdict := l.checkFence(fence); verdict != nil {
			return verdict, nil
		}
		return nil, fn(tx, key, l)
	})
}

func boltError(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	}
	return fmt.Errorf("state: %w", err)
}

// readLease returns the lease of the account, which is zero if there is none.
func readLease(tx *bolt.Tx, key []byte) (l Lease, err error) {
	doc := tx.Bucket(leasesBucket).Get(key)
	if doc == nil {
		return l, nil
	}
	if err := json.Unmarshal(doc, &l); err != nil {
		return l, fmt.Errorf("lease %s: %w", key, err)
	}
	return l, nil
}

func putJSON(tx *bolt.Tx, bucket, key []byte, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, doc)
}

// PutTask implements [Store].
func (b *Bolt) PutTask(t Task) error {
	return b.write(func(tx *bolt.Tx) (error, error) {
		return nil, putJSON(tx, tasksBucket, []byte(t.ID), t)
	})
}

// Tasks implements [Store].
func (b *Bolt) Tasks() (tasks []Task, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(tasksBucket).ForEach(func(id, doc []byte) error {
			var t Task
			if err := json.Unmarshal(doc, &t); err != nil {
				return fmt.Errorf("task %s: %w", id, err)
			}
			tasks = append(tasks, t)
			return nil
		})
	})
	return tasks, err
}

// DropTask implements [Store].
func (b *Bolt) DropTask(ids ...string) error {
	return b.write(func(tx *bolt.Tx) (verdict, failure error) {
		for _, id := range ids {
			if err := tx.Bucket(tasksBucket).Delete([]byte(id)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// AcquireLease implements [Store].
func (b *Bolt) AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error) {
	key := boltKey(adapter, account)
	err = b.write(func(tx *bolt.Tx) (error, error) {
		l, err := readLease(tx, key)
		if err != nil {
			return nil, err
		}
		if verdict := l.checkFree(task, b.now()); verdict != nil {
			return verdict, nil
		}
		fence, err = tx.Bucket(leasesBucket).NextSequence()
		if err != nil {
			return nil, err
		}
		return nil, putJSON(tx, leasesBucket, key, Lease{adapter, account, task, fence, until})
	})
	if err != nil {
		return 0, err
	}
	return fence, nil
}

// RenewLease implements [Store].
func (b *Bolt) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	return b.writeFenced(adapter, account, fence, func(tx *bolt.Tx, key []byte, l Lease) error {
		l.Until = until
		return putJSON(tx, leasesBucket, key, l)
	})
}

// ReleaseLease implements [Store].
func (b *Bolt) ReleaseLease(adapter, account string, fence uint64) error {
	return b.writeFenced(adapter, account, fence, func(tx *bolt.Tx, key []byte, _ Lease) error {
		return tx.Bucket(leasesBucket).Delete(key)
	})
}

// Leases implements [Store].
func (b *Bolt) Leases() (leases []Lease, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(leasesBucket).ForEach(func(key, _ []byte) error {
			l, err := readLease(tx, key)
			leases = append(leases, l)
			return err
		})
	})
	slices.SortFunc(leases, compareLeases)
	return leases, err
}

// PutSession implements [Store].
func (b *Bolt) PutSession(adapter, account string, fence uint64, sealed []byte) error {
	return b.writeFenced(adapter, account, fence, func(tx *bolt.Tx, key []byte, _ Lease) error {
		return tx.Bucket(sessionsBucket).Put(key, sealed)
	})
}

// Session implements [Store].
func (b *Bolt) Session(adapter, account string) (sealed []byte, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		v := tx.Bucket(sessionsBucket).Get(boltKey(adapter, account))
		if v == nil {
			return ErrNotFound
		}
		sealed = bytes.Clone(v) // v is valid during the transaction only
		return nil
	})
	return sealed, err
}

// DropSession implements [Store].
func (b *Bolt) DropSession(adapter, account string, fence uint64) error {
	return b.writeFenced(adapter, account, fence, func(tx *bolt.Tx, key []byte, _ Lease) error {
		return tx.Bucket(sessionsBucket).Delete(key)
	})
}

// Quarantine implements [Store].
func (b *Bolt) Quarantine(adapter, account, why string) error {
	key := boltKey(adapter, account)
	return b.write(func(tx *bolt.Tx) (verdict, failure error) {
		if tx.Bucket(quarantineBucket).Get(key) != nil {
			return nil, nil
		}
		return nil, putJSON(tx, quarantineBucket, key, Quarantine{adapter, account, why})
	})
}

// Quarantined implements [Store].
func (b *Bolt) Quarantined() (all []Quarantine, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(quarantineBucket).ForEach(func(key, doc []byte) error {
			var q Quarantine
			if err := json.Unmarshal(doc, &q); err != nil {
				return fmt.Errorf("quarantine %s: %w", key, err)
			}
			all = append(all, q)
			return nil
		})
	})
	slices.SortFunc(all, compareQuarantines)
	return all, err
}

// LiftQuarantine implements [Store].
func (b *Bolt) LiftQuarantine(adapter, account string) error {
	return b.write(func(tx *bolt.Tx) (verdict, failure error) {
		return nil, tx.Bucket(quarantineBucket).Delete(boltKey(adapter, account))
	})
}

// FirstSight implements [Store]. A known key costs a read and no write.
func (b *Bolt) FirstSight(key string) (first bool, err error) {
	known := false
	err = b.read(func(tx *bolt.Tx) error {
		known = tx.Bucket(sightsBucket).Get([]byte(key)) != nil
		return nil
	})
	if err != nil || known {
		return false, err
	}

	err = b.write(func(tx *bolt.Tx) (verdict, failure error) {
		bucket := tx.Bucket(sightsBucket)
		first = bucket.Get([]byte(key)) == nil
		if !first {
			return nil, nil
		}
		return nil, bucket.Put([]byte(key), []byte{1})
	})
	return first, err
}

// Close implements [Store].
func (b *Bolt) Close() error { return boltError(b.db.Close()) }
