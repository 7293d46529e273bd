package journal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ErrNotRecorded is in every error of [Ticket.Wait]: the record may not be
// relied on, so what depends on it must not happen.
var ErrNotRecorded = errors.New("not recorded")

var (
	errClosed  = errors.New("the audit log is closed")
	errBehind  = errors.New("the disk does not keep up: 16 MiB of records wait")
	errTooLong = errors.New("record is too long")
	errOwnKind = errors.New("this kind of record is the log's own")
)

// unasked is how long records lie in memory when nobody waits for them.
const unasked = 5 * time.Millisecond

const maxPending = segment.MaxTornTail / 2 // bytes that may wait for the disk

// Log appends records to a folder. Its methods may be called concurrently.
type Log struct {
	cfg      Config
	instance string
	lock     *os.File
	w        *writer // the committer's alone

	wake    chan struct{} // capacity 1: somebody waits for pending
	soon    *time.Timer   // pending is written although nobody waits
	changes chan *keyChange
	closing chan struct{}
	stopped chan struct{}
	closed  error     // of the committer, valid after stopped
	began   time.Time // of the last commit; the committer's alone
	crowd   int32     // so many waited for it; likewise

	sealed     *sealed
	witnessing *witnessing

	mu      sync.Mutex // never held over I/O
	pending *group
	spare   *group // an empty group to swap in
	lastUS  int64  // time of the newest record, microseconds
	behind  bool   // the system clock is behind lastUS by more than a second
	failure error  // why nothing can be recorded; nil: it can

	durable                                                        atomic.Uint64 // seq of the next record: those before it are on stable storage
	records, groups, syncNS, bytes, refused, failures, checkpoints atomic.Int64
}

// group is the records that one fsync makes durable.
type group struct {
	bodies  []byte
	entries []entry
	verdict *verdict
	clock   int64 // the clock went back by so many microseconds; 0: it did not
}

type entry struct {
	end  int    // of its body in bodies
	us   int64  // its time
	task string // whose record it is; "": no task's
	ends bool   // it is the task's end
}

// verdict is shared by the tickets of one group. err may be read once done is
// closed.
type verdict struct {
	done    chan struct{}
	err     error
	wake    chan<- struct{} // of the log
	waiting atomic.Int32    // so many have asked for it
}

// ask has the group written now: records that nobody waits for go with those
// that somebody does.
func (v *verdict) ask() {
	if v.waiting.Add(1) > 1 {
		return
	}
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Ticket is one appended record on its way to the disk.
type Ticket struct {
	id string
	v  *verdict
}

// ID is the record's id.
func (t Ticket) ID() string { return t.id }

// Wait returns nil once the record is on stable storage, and only then. Every
// error is ErrNotRecorded; when it came from ctx the record may still be
// written. The zero Ticket is not recorded.
func (t Ticket) Wait(ctx context.Context) error {
	if t.v == nil {
		return ErrNotRecorded
	}
	select {
	case <-t.v.done:
		return t.v.err
	default:
	}
	t.v.ask()
	if ctx.Done() == nil {
		<-t.v.done
		return t.v.err
	}
	select {
	case <-t.v.done:
		return t.v.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotRecorded, context.Cause(ctx))
	}
}

func refusedTicket(id string, why error) Ticket {
	v := &verdict{done: make(chan struct{}), err: fmt.Errorf("%w: %w", ErrNotRecorded, why)}
	close(v.done)
	return Ticket{id, v}
}

// Open opens or makes the log in cfg.Dir and holds its lock until Close. It
// reads the last segment.File, cuts a torn tail if the last writer was killed and
// puts that on record, and goes on with the chain. It refuses a log that was
// changed, or whose last checkpoint another key signed. The caller must Close.
func Open(cfg Config, key ed25519.PrivateKey, instance string) (*Log, error) {
	cfg.SetDefaults()
	if problems := cfg.Check(); len(problems) > 0 {
		return nil, fmt.Errorf("audit: %w", errors.Join(problems...))
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("audit: no signing key: make one with NewKey and WriteKey")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := cfg.disk.syncDir(filepath.Dir(cfg.Dir)); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, instance: instance, lock: lock,
		wake: make(chan struct{}, 1), soon: time.NewTimer(time.Hour), changes: make(chan *keyChange), closing: make(chan struct{}), stopped: make(chan struct{}),
		sealed: newSealed()}
	l.pending, l.spare = l.newGroup(), l.newGroup()
	w, notice, err := openWriter(cfg, key, instance)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit: open %s: %w", cfg.Dir, err), lock.Close())
	}
	l.w, l.lastUS = w, w.st.lastUS
	l.durable.Store(w.st.seq)
	if notice != nil {
		l.appendOwn(notice.record())
		if err := l.commit(l.take(), ""); err != nil {
			return nil, errors.Join(fmt.Errorf("audit: open %s: %w", cfg.Dir, err), w.file.Close(), lock.Close())
		}
	}
	files := audit.TilesOf(cfg.Dir)
	if r := rolledBack(files, w.pub, w.st.seq); r != nil {
		l.appendOwn(r)
	}
	l.witnessing = startWitnessing(cfg, files, func(r *audit.Record) { l.appendOwn(r) })
	w.cosigned = &l.witnessing.cosigned
	l.sealed.set(audit.Position{Segment: w.st.segment, Offset: w.st.off, Seq: w.st.seq})
	go l.run()
	go l.behindSegments()
	return l, nil
}

func (l *Log) newGroup() *group { return &group{verdict: l.newVerdict()} }

func (l *Log) newVerdict() *verdict { return &verdict{done: make(chan struct{}), wake: l.wake} }

var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// Append hands r to the committer and returns at once. It fills r.ID and
// r.Instance when they are empty and sets r.Time; it keeps nothing of r. While
// the log cannot record, the ticket says so at once.
func (l *Log) Append(r *audit.Record) Ticket {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	if audit.IsReservedKind(r.Kind) {
		l.refused.Add(1)
		return refusedTicket(r.ID, errOwnKind)
	}
	return l.appendOwn(r)
}

// appendOwn is Append for records of every kind, also those of the log itself.
func (l *Log) appendOwn(r *audit.Record) Ticket {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	if r.Instance == "" {
		r.Instance = l.instance
	}
	b := scratch.Get().(*[]byte)
	*b = audit.AppendBody((*b)[:0], r)
	if len(*b) > maxBody {
		*b = audit.AppendBody((*b)[:0], shortened(r))
	}
	v, err := l.enqueue(r, *b)
	if cap(*b) <= 64<<10 {
		scratch.Put(b)
	}
	if err != nil {
		l.refused.Add(1)
		return refusedTicket(r.ID, err)
	}
	return Ticket{r.ID, v}
}

func (l *Log) enqueue(r *audit.Record, body []byte) (*verdict, error) {
	if len(body) > maxBody || len(r.Task) > audit.MaxTaskBytes {
		return nil, errTooLong
	}
	task := r.Task
	if !utf8.ValidString(task) {
		task = audit.ReplaceInvalidUTF8(task)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return nil, l.failure
	}
	g := l.pending
	if len(g.bodies)+len(body) > maxPending {
		return nil, errBehind
	}
	us := l.stamp(g)
	r.Time = time.UnixMicro(us).UTC()
	g.bodies = append(g.bodies, body...)
	g.entries = append(g.entries, entry{len(g.bodies), us, task, r.Kind == "task" && r.Code == audit.CodeEnded})
	if len(g.entries) == 1 {
		l.soon.Reset(unasked)
	}
	return g.verdict, nil
}

// stamp is the time of the next record: the clock, or the newest record's time
// for as long as the clock is behind it. Callers hold mu.
func (l *Log) stamp(g *group) int64 {
	us := l.cfg.now().UnixMicro()
	if us >= l.lastUS {
		l.lastUS, l.behind = us, false
		return us
	}
	if back := l.lastUS - us; back > int64(time.Second/time.Microsecond) && !l.behind {
		l.behind, g.clock = true, back
	}
	return l.lastUS
}

// Err says why nothing can be recorded now; nil when it can. The log recovers
// by itself as soon as the disk allows.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// Stats counts since Open.
type Stats struct {
	Records     int64         // made durable, the log's own included
	Groups      int64         // group commits, one fsync each
	SyncTime    time.Duration // in fsync
	Bytes       int64         // of lines made durable
	Refused     int64         // records not accepted, or whose group failed
	Failures    int64         // times the disk failed
	Checkpoints int64
	Published   int64 // lines that the published checkpoint covers; see [Log.PublishErr]
	Witnessed   int64 // lines that a quorum of witnesses has signed since Open
}

// Stats reads the counters; it is cheap.
func (l *Log) Stats() Stats {
	return Stats{l.records.Load(), l.groups.Load(), time.Duration(l.syncNS.Load()), l.bytes.Load(),
		l.refused.Load(), l.failures.Load(), l.checkpoints.Load(), l.sealed.published.Load(), l.witnessing.witnessed.Load()}
}

// Close makes durable what was appended, signs a last checkpoint, and gives up
// the lock. What is appended later is not recorded. A second Close does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	select {
	case <-l.closing:
	default:
		close(l.closing)
	}
	l.mu.Unlock()
	<-l.stopped
	l.sealed.quit()
	<-l.sealed.stopped
	return l.closed
}
