package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	tasksBucket    = []byte("tasks")
	leasesBucket   = []byte("leases") // its sequence is the last fence
	sessionsBucket = []byte("sessions")
	sightsBucket   = []byte("sights")
)

const (
	lockWait   = 2 * time.Second
	batchDelay = 500 * time.Microsecond // what a lone write waits for company
)

// Bolt is the Store in one file. Writes that arrive together share one fsync.
type Bolt struct {
	db  *bolt.DB
	now func() time.Time
}

// OpenBolt opens or creates the file, readable by its owner alone. A nil now is
// time.Now. When another process has the file open, it gives up after two seconds.
// A file that was cut short or overwritten is an error.
func OpenBolt(path string, now func() time.Time) (*Bolt, error) {
	if now == nil {
		now = time.Now
	}
	db, err := whole(path, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("state: %s is open in another process: stop that byline, or give this one its own data_dir", path)
	}
	if err != nil {
		return nil, fmt.Errorf("state: open %s: %w", path, err)
	}
	db.MaxBatchDelay = batchDelay
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{tasksBucket, leasesBucket, sessionsBucket, sightsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: prepare %s: %w", path, err), db.Close())
	}
	return &Bolt{db, now}, nil
}

// key cannot be confused: JSON escapes what would end a name.
func key(adapter, account string) []byte {
	k, _ := json.Marshal([2]string{adapter, account}) // strings always marshal
	return k
}

// write runs fn in a shared transaction; fn may run again when a neighbour
// fails. A verdict is an answer, not a failure of the transaction.
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

func (b *Bolt) read(fn func(tx *bolt.Tx) error) error { return boltError(b.db.View(fn)) }

func boltError(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	}
	return fmt.Errorf("state: %w", err)
}

func leaseAt(tx *bolt.Tx, k []byte) (l Lease, err error) {
	if v := tx.Bucket(leasesBucket).Get(k); v != nil {
		if err = json.Unmarshal(v, &l); err != nil {
			err = fmt.Errorf("lease %s: %w", k, err)
		}
	}
	return l, err
}

func put(tx *bolt.Tx, bucket, k []byte, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(k, doc)
}

// owned runs fn for the holder of the fence.
func (b *Bolt) owned(adapter, account string, fence uint64, fn func(tx *bolt.Tx, k []byte, l Lease) error) error {
	k := key(adapter, account)
	return b.write(func(tx *bolt.Tx) (error, error) {
		l, err := leaseAt(tx, k)
		if err != nil {
			return nil, err
		}
		if verdict := l.owns(fence); verdict != nil {
			return verdict, nil
		}
		return nil, fn(tx, k, l)
	})
}

func (b *Bolt) PutTask(t Task) error {
	return b.write(func(tx *bolt.Tx) (error, error) { return nil, put(tx, tasksBucket, []byte(t.ID), t) })
}

func (b *Bolt) Tasks() (out []Task, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(tasksBucket).ForEach(func(k, v []byte) error {
			var t Task
			if err := json.Unmarshal(v, &t); err != nil {
				return fmt.Errorf("task %s: %w", k, err)
			}
			out = append(out, t)
			return nil
		})
	})
	return out, err
}

func (b *Bolt) DropTask(id string) error {
	return b.write(func(tx *bolt.Tx) (error, error) { return nil, tx.Bucket(tasksBucket).Delete([]byte(id)) })
}

func (b *Bolt) AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error) {
	k := key(adapter, account)
	err = b.write(func(tx *bolt.Tx) (error, error) {
		l, err := leaseAt(tx, k)
		if err != nil {
			return nil, err
		}
		if verdict := l.open(task, b.now()); verdict != nil {
			return verdict, nil
		}
		if fence, err = tx.Bucket(leasesBucket).NextSequence(); err != nil {
			return nil, err
		}
		return nil, put(tx, leasesBucket, k, Lease{adapter, account, task, fence, until})
	})
	if err != nil {
		return 0, err
	}
	return fence, nil
}

func (b *Bolt) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	return b.owned(adapter, account, fence, func(tx *bolt.Tx, k []byte, l Lease) error {
		l.Until = until
		return put(tx, leasesBucket, k, l)
	})
}

func (b *Bolt) ReleaseLease(adapter, account string, fence uint64) error {
	return b.owned(adapter, account, fence, func(tx *bolt.Tx, k []byte, _ Lease) error {
		return tx.Bucket(leasesBucket).Delete(k)
	})
}

func (b *Bolt) Leases() (out []Lease, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(leasesBucket).ForEach(func(k, _ []byte) error {
			l, err := leaseAt(tx, k)
			out = append(out, l)
			return err
		})
	})
	slices.SortFunc(out, func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
	})
	return out, err
}

func (b *Bolt) PutSession(adapter, account string, fence uint64, sealed []byte) error {
	return b.owned(adapter, account, fence, func(tx *bolt.Tx, k []byte, _ Lease) error {
		return tx.Bucket(sessionsBucket).Put(k, sealed)
	})
}

func (b *Bolt) Session(adapter, account string) (out []byte, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		v := tx.Bucket(sessionsBucket).Get(key(adapter, account))
		if v == nil {
			return ErrNotFound
		}
		out = bytes.Clone(v)
		return nil
	})
	return out, err
}

func (b *Bolt) DropSession(adapter, account string, fence uint64) error {
	return b.owned(adapter, account, fence, func(tx *bolt.Tx, k []byte, _ Lease) error {
		return tx.Bucket(sessionsBucket).Delete(k)
	})
}

// FirstSight implements Store. A key that is known costs a read.
func (b *Bolt) FirstSight(key string) (first bool, err error) {
	known := false
	if err := b.read(func(tx *bolt.Tx) error { known = tx.Bucket(sightsBucket).Get([]byte(key)) != nil; return nil }); err != nil || known {
		return false, err
	}
	err = b.write(func(tx *bolt.Tx) (verdict, failure error) {
		at := tx.Bucket(sightsBucket)
		first = at.Get([]byte(key)) == nil
		if !first {
			return nil, nil
		}
		return nil, at.Put([]byte(key), []byte{1})
	})
	return first, err
}

// Close waits for what is being written.
func (b *Bolt) Close() error { return boltError(b.db.Close()) }
