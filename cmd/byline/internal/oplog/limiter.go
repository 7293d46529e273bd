package oplog

import (
	"bytes"
	"hash/maphash"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	// interval is how often a line of one kind is written at most.
	interval = time.Second

	// maxNew is how many lines of one kind may be written before their time because
	// they say something new. One more is allowed each interval.
	maxNew = 8

	// maxKinds bounds the kinds that are told apart, and maxSaid the contents that
	// are remembered. Messages and codes are constants, so there are fewer kinds.
	maxKinds = 512
	maxSaid  = 4096

	// saidFor is how long a content that was written counts as known.
	saidFor = time.Minute
)

// Limiter is the writer of a logger. It writes one line of a kind in an interval, so
// that a failure that every request runs into does not fill a disk. Lines are of one
// kind if level, message and code are the same.
//
// A line that is written has the member left_out: how many lines of its kind were
// left out before it. The last line that was left out is written when its time has
// come, so lines and left_out together count all lines. A line that says something
// new is written at once, except for a kind of which too many lines are new: a host
// that nobody has named yet, a task that is refused for the first time.
//
// Lines of the levels debug and trace all pass: who asks for them wants every one.
//
// A Limiter may be used concurrently.
type Limiter struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	after func(time.Duration, func()) // calls the function in another goroutine
	kinds map[string]*kind
	said  map[uint64]time.Time // by hash of the content: when it was written
	seed  maphash.Seed
}

// kind is what is known of the lines of one kind.
type kind struct {
	next    time.Time // before, only new contents are written
	leftOut int       // since the last line that was written
	last    []byte    // the last line that was left out; nil if there is none
	newOnes int       // written before their time, less one for each interval since
	counted time.Time // when newOnes was last lowered
	waiting bool      // a call of flush is scheduled
}

// NewLimiter returns a Limiter that writes to out. out gets whole lines.
func NewLimiter(out io.Writer) *Limiter {
	return &Limiter{
		out:   out,
		now:   time.Now,
		after: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
		kinds: map[string]*kind{},
		said:  map[uint64]time.Time{},
		seed:  maphash.MakeSeed(),
	}
}

// Write writes the line, or counts it as left out. It never fails: nobody could be
// told.
func (l *Limiter) Write(line []byte) (int, error) {
	name, content, isLimited := classify(line)
	if !isLimited {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = l.out.Write(line)
		return len(line), nil
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	k := l.kind(name, now)
	switch {
	case !now.Before(k.next):
		k.next = now.Add(interval)
	case l.isNew(k, content, now):
		k.newOnes++
	default:
		k.leftOut++
		k.last = append(k.last[:0], line...)
		if !k.waiting {
			k.waiting = true
			l.after(k.next.Sub(now), func() { l.flush(k) })
		}
		return len(line), nil
	}

	l.remember(content, now)
	l.write(k, line)
	return len(line), nil
}

// kind returns the kind of that name. Kinds beyond maxKinds are one.
func (l *Limiter) kind(name string, now time.Time) *kind {
	k := l.kinds[name]
	if k == nil && len(l.kinds) >= maxKinds {
		l.dropOldKinds(now)
	}
	if k == nil && len(l.kinds) >= maxKinds {
		name = ""
		k = l.kinds[name]
	}
	if k == nil {
		k = &kind{counted: now}
		l.kinds[name] = k
	}

	passed := int(now.Sub(k.counted) / interval)
	if passed > 0 {
		k.newOnes = max(0, k.newOnes-passed)
		k.counted = now
	}
	return k
}

// dropOldKinds forgets kinds that owe nothing.
func (l *Limiter) dropOldKinds(now time.Time) {
	for name, k := range l.kinds {
		if k.leftOut == 0 && !k.waiting && now.After(k.next) {
			delete(l.kinds, name)
		}
	}
}

// isNew reports whether a content was not written lately and may be written before
// its time.
func (l *Limiter) isNew(k *kind, content []byte, now time.Time) bool {
	at, known := l.said[maphash.Bytes(l.seed, content)]
	return (!known || now.Sub(at) > saidFor) && k.newOnes < maxNew
}

func (l *Limiter) remember(content []byte, now time.Time) {
	if len(l.said) >= maxSaid {
		for hash, at := range l.said {
			if now.Sub(at) > saidFor {
				delete(l.said, hash)
			}
		}
	}
	if len(l.said) >= maxSaid {
		clear(l.said)
	}
	l.said[maphash.Bytes(l.seed, content)] = now
}

// write writes a line with the number of those that were left out before it.
func (l *Limiter) write(k *kind, line []byte) {
	if k.leftOut > 0 {
		end := bytes.LastIndexByte(line, '}')
		counted := append([]byte(nil), line[:end]...)
		counted = append(counted, `,"left_out":`...)
		counted = strconv.AppendInt(counted, int64(k.leftOut), 10)
		line = append(counted, "}\n"...)
	}
	k.leftOut = 0
	k.last = k.last[:0]
	_, _ = l.out.Write(line)
}

// flush writes the last line that was left out, now that its time has come.
func (l *Limiter) flush(k *kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.waiting = false
	l.flushLocked(k)
}

func (l *Limiter) flushLocked(k *kind) {
	if k.leftOut == 0 {
		return
	}
	now := l.now()
	if wait := k.next.Sub(now); wait > 0 && !k.waiting {
		k.waiting = true
		l.after(wait, func() { l.flush(k) })
		return
	}

	k.leftOut-- // it is the line that is written
	k.next = now.Add(interval)
	last := bytes.Clone(k.last)
	l.write(k, last)
}

// Flush writes what is due at the end of the process: of each kind the last line
// that was left out.
func (l *Limiter) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.kinds {
		k.next = time.Time{}
		l.flushLocked(k)
	}
}
