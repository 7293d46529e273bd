package journal

import (
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

var (
	errClosed       = errors.New("the audit log is closed")
	errBacklog      = errors.New("the disk does not keep up: 16 MiB of records wait")
	errTooLong      = errors.New("record is too long")
	errReservedKind = errors.New("only the log itself writes records of this kind")
)

const (
	// idleFlush bounds how long a record stays in memory if no caller waits for it.
	idleFlush = 5 * time.Millisecond

	// maxPending bounds the pending group in bytes, so that a group with the lines
	// that the log adds fits a torn tail.
	maxPending = segment.MaxTornTail / 2

	// maxPooledBuffer bounds the buffers that bodyBuffers keeps, in bytes.
	maxPooledBuffer = 64 << 10
)

// bodyBuffers holds the buffers in which Append encodes records.
var bodyBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 2048)
	return &b
}}

// Append adds r to the pending group and returns without waiting for the disk.
// The record is durable when Wait of the ticket returns nil. Without Wait it
// becomes durable within milliseconds, unless the process or the disk fails.
//
// Append fills r.ID and r.Instance if they are empty, sets r.Time and r.Wall, and keeps no
// reference to r. It shortens the texts of a record that is too long for a line.
// It refuses, with a ticket that reports it at once, kinds that only the log
// writes, records that stay too long, and every record while the log cannot
// record, is closed, or has maxPending bytes waiting.
//
// The order of the log is the order of the calls.
func (l *Log) Append(r *audit.Record) Ticket {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	if audit.IsReservedKind(r.Kind) {
		l.refused.Add(1)
		return refusedTicket(r.ID, errReservedKind)
	}

	return l.appendAnyKind(r)
}

// appendAnyKind is Append for records of every kind, also the reserved ones.
func (l *Log) appendAnyKind(r *audit.Record) Ticket {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	if r.Instance == "" {
		r.Instance = l.instance
	}

	b := bodyBuffers.Get().(*[]byte)
	*b = audit.AppendBody((*b)[:0], r)
	if len(*b) > maxBody {
		*b = audit.AppendBody((*b)[:0], truncateRecord(r))
	}
	result, err := l.enqueue(r, *b)
	if cap(*b) <= maxPooledBuffer {
		bodyBuffers.Put(b)
	}

	if err != nil {
		l.refused.Add(1)
		return refusedTicket(r.ID, err)
	}

	return Ticket{r.ID, result}
}

// enqueue copies body to the pending group and sets r.Time and r.Wall.
func (l *Log) enqueue(r *audit.Record, body []byte) (*commitResult, error) {
	if len(body) > maxBody || len(r.Task) > audit.MaxTaskBytes {
		return nil, errTooLong
	}
	task := r.Task
	if !utf8.ValidString(task) {
		task = audit.ReplaceInvalidUTF8(task) // as in the line, so that both count the same task
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return nil, l.failure
	}
	g := l.pending
	if len(g.bodies)+len(body) > maxPending {
		return nil, errBacklog
	}

	us, wall := l.clock.next(l.cfg.now())
	r.Time, r.Wall = time.UnixMicro(us).UTC(), time.Time{}
	if back := l.clock.takeStep(); back > 0 {
		g.clockBack = back
	}
	if wall != 0 {
		r.Wall = time.UnixMicro(wall).UTC()
		g.bodies = audit.AppendWall(g.bodies, wall)
	}
	g.bodies = append(g.bodies, body...)
	g.entries = append(g.entries, entry{len(g.bodies), us, task, audit.TaskEventOf(r.Kind, r.Code)})
	if len(g.entries) == 1 {
		l.idleTimer.Reset(idleFlush)
	}

	return g.result, nil
}
