package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// lastTiles bounds how long Close waits for the tiles of the last records. What
// is missing then is made at the next start.
const lastTiles = 3 * time.Second

var errStopped = errors.New("stopped")

// sealed tells the goroutine that works behind the segments how far it may
// read: up to the newest durable checkpoint.
type sealed struct {
	wake      chan struct{} // capacity 1
	quitting  chan struct{}
	once      sync.Once
	stopped   chan struct{}
	published atomic.Int64

	mu   sync.Mutex
	upto audit.Position
	some bool
	err  error // why the tiles are behind; nil: they are not
}

func newSealed() *sealed {
	return &sealed{wake: make(chan struct{}, 1), quitting: make(chan struct{}), stopped: make(chan struct{})}
}

func (s *sealed) set(upto audit.Position) {
	s.mu.Lock()
	s.upto, s.some = upto, true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sealed) get() (audit.Position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upto, s.some
}

func (s *sealed) quit() { s.once.Do(func() { close(s.quitting) }) }

func (s *sealed) failed(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
}

// PublishErr says why tiles and published checkpoint are behind the records; nil
// while they are not. Records are not affected: tiles are made from them.
func (l *Log) PublishErr() error {
	l.sealed.mu.Lock()
	defer l.sealed.mu.Unlock()
	return l.sealed.err
}

// behindSegments keeps the tiles: after each checkpoint it takes what came, writes
// full and partial tiles, and publishes the checkpoint.
func (l *Log) behindSegments() {
	s := l.sealed
	defer close(s.stopped)
	defer l.witnessing.close()
	var t *audit.Tiler
	for {
		select {
		case <-s.wake:
			t = l.tile(t, func() error { return s.patience(nil) })
		case <-s.quitting:
			deadline := time.Now().Add(lastTiles)
			l.tile(t, func() error { return s.patience(&deadline) })
			return
		}
	}
}

// Witnesses tells how each witness does.
func (l *Log) Witnesses() []WitnessState { return l.witnessing.states() }

// patience is an error once tiling must end.
func (s *sealed) patience(deadline *time.Time) error {
	if deadline == nil {
		select {
		case <-s.quitting:
			return errStopped
		default:
			return nil
		}
	}
	if time.Now().After(*deadline) {
		return errStopped
	}
	return nil
}

// tile brings t to the newest durable checkpoint. It returns nil in its place
// when something went wrong: the next one begins with what lies in the folder.
func (l *Log) tile(t *audit.Tiler, patience func() error) *audit.Tiler {
	upto, some := l.sealed.get()
	if !some {
		return t
	}
	var err error
	if t == nil {
		t, err = audit.OpenTiler(l.cfg.Dir, l.witnessing.files.Dir, false)
		t.PutCheckpoint = l.witnessing.publish
		if err == nil {
			l.witnessing.resume()
		}
	}
	if err == nil {
		err = l.advance(t, upto, func(int64, int64) error { return patience() })
	}
	l.sealed.failed(err)
	if err != nil {
		return nil
	}
	l.sealed.published.Store(int64(t.Published()))
	return t
}

// advance brings t to upto with the hashes that the committer has made; what it
// has no longer is read.
func (l *Log) advance(t *audit.Tiler, upto audit.Position, progress func(done, total int64) error) error {
	all, err := l.w.fresh.take(t.Size(), upto.Seq, t.AddLeaves)
	if err != nil {
		return err
	}
	if !all {
		return t.Advance(&upto, progress)
	}
	return t.PublishUpTo(upto)
}

// rolledBack looks for a checkpoint beside the segments that this log's key
// signed over more lines than there are: the folder was put back from an older
// copy, or its end was cut. Recording must go on, so that is put on record, and
// the checkpoint is kept under another name.
func rolledBack(files audit.Tiles, pub audit.PublicKey, seq uint64) *audit.Record {
	var r *audit.Record
	for _, name := range []string{audit.WitnessedFile, audit.CheckpointFile} {
		signed, _, err := files.ReadNote(name)
		if err != nil {
			continue
		}
		c, err := audit.ParseCheckpoint(signed, pub)
		if err != nil || c.Size < seq {
			continue
		}
		path := filepath.Join(files.Dir, name)
		if err := os.Rename(path, fmt.Sprintf("%s.ahead-%d", path, c.Size)); err != nil {
			continue
		}
		r = &audit.Record{Kind: "alert", Code: alertCode(errAhead),
			Detail: fmt.Sprintf("a checkpoint beside the log covers %d records, the log holds %d: it was put back from an older copy, or its end was cut", c.Size, seq)}
	}
	return r
}
