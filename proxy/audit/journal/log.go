package journal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// Log appends records to the log in a directory. [Open] returns one. Its methods
// may be called concurrently.
type Log struct {
	cfg      Config
	instance string
	lock     *os.File // holds the lock of the directory while it is open

	// The committer alone uses these after Open.
	writer      *writer
	lastCommit  time.Time // when the last commit began
	lastWaiters int32     // calls of Wait on the group of the last commit

	wake        chan struct{} // capacity 1; a caller waits for the pending group
	idleTimer   *time.Timer   // fires when the pending group has waited for idleFlush
	keyChanges  chan *keyChange
	acceptances chan *acceptance
	closing     chan struct{} // closed by Close
	stopped     chan struct{} // closed when the committer has ended
	closeErr    error         // set by the committer before it closes stopped

	publisher *publisher
	witnesses *witnessPool

	livingTasks map[string]bool // see LivingTasks
	stall       stallWatch

	mu         sync.Mutex // never held during I/O
	pending    *group
	freeGroup  *group        // empty, with buffers; nil while the committer has it
	committing *commitResult // of the group that the committer has; nil if it has none
	clock      clock         // but for its counters
	failure    error         // why no record is accepted; nil if records are accepted
	rolledBack error         // see RollbackErr

	durable atomic.Uint64 // number of records on stable storage, so also the seq of the next

	records     atomic.Int64 // the counters of Stats
	groups      atomic.Int64
	syncNS      atomic.Int64
	bytes       atomic.Int64
	refused     atomic.Int64
	failures    atomic.Int64
	checkpoints atomic.Int64
}

// Open opens the log in cfg.Dir, or creates it, and locks it for this process
// until Close. key signs checkpoints, and instance is in every record that names
// no other. It applies the defaults of cfg.
//
// Open reads and verifies the last segment. If the last writer did not close the
// log, it cuts the torn tail and makes a record of that durable before it
// returns. It fails, without changing a record, if another process has the log
// open, if the last segment was changed, or if key did not sign its checkpoints.
//
// The caller must call Close.
func Open(cfg Config, key ed25519.PrivateKey, instance string) (*Log, error) {
	cfg.SetDefaults()
	if problems := cfg.Check(); len(problems) > 0 {
		return nil, fmt.Errorf("audit: %w", errors.Join(problems...))
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("audit: no signing key: make one with NewKey and WriteKey")
	}

	if err := durable.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := cfg.disk.syncDir(filepath.Dir(cfg.Dir)); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}

	l := newLog(cfg, instance, lock)
	if err := l.recoverWriter(key); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: open %s: %w", cfg.Dir, err), lock.Close())
	}
	if err := l.keepLostCheckpoints(); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: open %s: %w", cfg.Dir, err), l.abandon())
	}
	l.start()

	return l, nil
}

// newLog returns a log without a writer and without goroutines.
func newLog(cfg Config, instance string, lock *os.File) *Log {
	l := &Log{
		cfg:         cfg,
		instance:    instance,
		lock:        lock,
		wake:        make(chan struct{}, 1),
		idleTimer:   time.NewTimer(time.Hour),
		keyChanges:  make(chan *keyChange),
		acceptances: make(chan *acceptance),
		closing:     make(chan struct{}),
		stopped:     make(chan struct{}),
		publisher:   newPublisher(),
	}
	l.pending = l.newGroup()
	l.freeGroup = l.newGroup()
	l.stall.timer = time.AfterFunc(time.Hour, l.announceStall)
	l.stall.timer.Stop()

	return l
}

// recoverWriter opens the writer at the end of the log. If the log was not
// closed, it makes a record of the recovery durable. On error it leaves no file
// open.
func (l *Log) recoverWriter(key ed25519.PrivateKey) error {
	w, recovery, err := openWriter(l.cfg, key, l.instance)
	if err != nil {
		return err
	}

	l.writer = w
	l.livingTasks = w.counts.Living()
	l.clock.lastUS = w.state.lastUS
	l.durable.Store(w.state.seq)
	if recovery == nil {
		return nil
	}

	// The torn tail is already cut. A crash before this commit only loses the number
	// of its bytes, which were never acknowledged.
	l.appendAnyKind(recovery)
	if err := l.commit(l.takePending(), ""); err != nil {
		return errors.Join(err, w.abandon()) // a failed commit may have closed the file
	}

	return nil
}

// start starts the goroutines of the log.
func (l *Log) start() {
	w := l.writer
	tiles := audit.TilesOf(l.cfg.Dir)
	l.witnesses = startWitnesses(l.cfg, tiles, func(r *audit.Record) { l.appendAnyKind(r) })
	w.cosigned = &l.witnesses.cosigned
	l.publisher.advanceTo(w.state.position())

	go l.runCommitter()
	go l.runPublisher()
}

// LivingTasks returns the tasks that had not ended when the log was opened: their
// beginning is on record, and their end is not. Open learns that from the last
// segment alone, because each segment begins with the tasks that continue. A task
// that wrote no record for 32 days is not among them.
func (l *Log) LivingTasks() map[string]bool { return l.livingTasks }

// Stats are counters since Open.
type Stats struct {
	Records     int64         // made durable, including those of the log itself
	Groups      int64         // group commits, one sync each
	SyncTime    time.Duration // spent in syncs
	Bytes       int64         // of lines made durable
	Refused     int64         // records that were not accepted or whose group failed
	Failures    int64         // failures of the disk
	Checkpoints int64         // made durable
	Published   int64         // lines that the published checkpoint covers; see [Log.PublishErr]
	CommitAge   time.Duration // how long the commit in progress is out; 0 if there is none
	ClockSteps  int64         // how often the system clock went back by more than a second
	ClockBehind time.Duration // between its time and the later time of the newest record; 0 if the clock is right
	Witnessed   int64         // lines that the newest checkpoint covers that a quorum of witnesses signed since Open
}

// Stats returns the counters. It does not block. The counters are read one after
// the other, so they may differ by what happens meanwhile.
func (l *Log) Stats() Stats {
	return Stats{
		Records:     l.records.Load(),
		Groups:      l.groups.Load(),
		SyncTime:    time.Duration(l.syncNS.Load()),
		Bytes:       l.bytes.Load(),
		Refused:     l.refused.Load(),
		Failures:    l.failures.Load(),
		Checkpoints: l.checkpoints.Load(),
		CommitAge:   l.commitAge(),
		ClockSteps:  l.clock.steps.Load(),
		ClockBehind: time.Duration(l.clock.behind.Load()) * time.Microsecond,
		Published:   l.publisher.published.Load(),
		Witnessed:   l.witnesses.witnessed.Load(),
	}
}

// Close refuses further records, makes durable what was appended before, signs a
// last checkpoint and unlocks the directory. It waits at most lastTilesTimeout
// for the tiles and lastCosignTimeout for the witnesses; what is missing then is
// made after the next Open.
//
// It waits at most some times [Config.CommitTimeout] for a disk that does not answer.
//
// If Close returns nil, the log is closed as [audit.Report] says. On error the
// lines that were acknowledged are still durable. A second call does nothing and
// returns the same error.
func (l *Log) Close() error {
	l.mu.Lock()
	select {
	case <-l.closing:
	default:
		close(l.closing)
	}
	l.mu.Unlock()

	timeout := time.NewTimer(closeTimeouts * l.cfg.CommitTimeout)
	defer timeout.Stop()
	select {
	case <-l.stopped:
	case <-timeout.C:
		// The files and the lock stay as they are until the process ends.
		return fmt.Errorf("audit: close: %w; the last records may not be durable", errHanging)
	}

	l.publisher.stop()
	<-l.publisher.stopped

	return l.closeErr
}
