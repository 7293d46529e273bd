package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// state is where the log stands after some line. The writer keeps the state that
// is on stable storage and appends lines to a copy, which replaces it after the
// sync. So a failed write leaves the writer at the last acknowledged line.
type state struct {
	segment     uint64      // seq of the first line of the segment
	off         int64       // offset of the end of the last line in the segment
	seq         uint64      // of the next line
	head        merkle.Hash // leaf hash of the last line
	tree        merkle.Tree // of all lines
	lastUS      int64       // time of the last line, microseconds since 1970
	unsealed    bool        // there are lines after the last checkpoint
	closed      bool        // the last line is a closing checkpoint
	checkpoints int64       // made since Open
}

// position returns the place after the last line.
func (s *state) position() audit.Position {
	return audit.Position{Segment: s.segment, Offset: s.off, Seq: s.seq}
}

// writer builds lines and writes them to the segments. The committer owns it,
// and nothing else writes the segments.
type writer struct {
	cfg       Config
	instance  string
	origin    string // of checkpoints
	signer    *signer
	publicKey audit.PublicKey // of signer, without a name

	state  state            // on stable storage
	counts audit.TaskCounts // of state and the lines in buf; repair reads it again after a failure

	// The segment file; see preallocation.go for all but the first.
	file          file  // nil after it was closed
	preallocated  bool  // file was filled with zeros before it had lines
	preallocateAt int64 // length of the lines in file at which to preallocate the next
	next          *preallocation

	// Lines that are not durable yet. buf[0] is unused, so that each line has a
	// byte before it.
	buf            []byte
	leaves         []merkle.Hash // of the lines in buf
	checkpointSeq  uint64        // seq of the newest checkpoint in buf
	checkpointNote string        // its signed note; empty if buf holds no checkpoint

	recent recentLeaves // of durable lines, for the publisher
	body   []byte       // scratch of appendOwnRecord

	// cosigned is a note that goes on record with the next records, or nil. It is
	// the pool's; nil as long as the pool has not started.
	cosigned *atomic.Pointer[string]
}

func (w *writer) segmentPath(first uint64) string {
	return filepath.Join(w.cfg.Dir, segment.Name(first))
}

// resetBuffer forgets the lines in buf.
func (w *writer) resetBuffer() {
	w.buf = append(w.buf[:0], 0)
	w.leaves = w.leaves[:0]
	w.checkpointNote = ""
}

// appendLine appends a line with that body to buf and moves st past it. The
// line's time is us, but never earlier than in the line before.
func (w *writer) appendLine(st *state, us int64, taskSeq uint64, body []byte) {
	us = max(us, st.lastUS)
	start := len(w.buf)
	w.buf = audit.AppendLine(w.buf, st.seq, taskSeq, st.head, us, body)

	// RFC 6962, section 2.1 hashes a leaf with 0x00 in front of it. The byte before
	// the line lends its place, so that the line need not be copied.
	before := w.buf[start-1]
	w.buf[start-1] = 0
	st.head = merkle.LeafHash(w.buf[start-1:])
	w.buf[start-1] = before

	st.tree.Add(st.head)
	w.leaves = append(w.leaves, st.head)
	w.buf = append(w.buf, '\n')
	st.seq++
	st.lastUS = us
	st.unsealed = true
	st.closed = false
}

// wallBefore returns what the system clock says if that is earlier than us, and
// otherwise the zero time: the member wall of a record whose time is us.
func (w *writer) wallBefore(us int64) time.Time {
	now := w.cfg.now()
	if now.UnixMicro() >= us {
		return time.Time{}
	}
	return now
}

// appendOwnRecord appends a record that the log itself makes.
func (w *writer) appendOwnRecord(st *state, us int64, r *audit.Record) {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	r.Instance = w.instance

	w.body = audit.AppendBody(w.body[:0], r)
	w.appendLine(st, us, 0, w.body)
}

// appendCheckpoint appends a record that newCheckpoint made for st and us.
func (w *writer) appendCheckpoint(st *state, us int64, r *audit.Record) {
	w.checkpointSeq = st.seq
	w.checkpointNote = r.Checkpoint
	w.appendOwnRecord(st, us, r)

	st.unsealed = false
	st.closed = r.Code == audit.CodeClose
	st.checkpoints++
}

// writeBuffer makes the lines in buf durable. If it returns nil, st, which is
// the state after them, becomes the state of the writer, and the lines may be
// acknowledged. On error, and after a crash before it returns, the segment may
// hold any part of the lines; the state of the writer is unchanged.
func (w *writer) writeBuffer(st *state) (syncTime time.Duration, err error) {
	lines := w.buf[1:]
	if _, err := w.file.WriteAt(lines, st.off); err != nil {
		return 0, fmt.Errorf("write %s: %w", segment.Name(st.segment), err)
	}

	began := time.Now()
	if err := w.file.Sync(); err != nil {
		return 0, fmt.Errorf("sync %s: %w", segment.Name(st.segment), err)
	}

	st.off += int64(len(lines))
	w.state = *st
	w.recent.add(st.seq-uint64(len(w.leaves)), w.leaves, w.checkpointSeq, w.checkpointNote)

	return time.Since(began), nil
}

// startSegment starts the segment whose first line has the number st.seq, and
// appends the lines that a segment begins with: a checkpoint and the counts of
// the tasks that continue. If newKey is not nil, the checkpoint announces that
// key. The first segment of a log begins with neither.
//
// The name of the segment is durable when startSegment returns nil, its lines
// are not. After a crash the segment is empty or torn, and openWriter removes or
// cuts it.
func (w *writer) startSegment(st *state, newKey *signer) error {
	if err := w.createSegmentFile(w.segmentPath(st.seq)); err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	if err := w.cfg.disk.syncDir(w.cfg.Dir); err != nil {
		return fmt.Errorf("new segment: %w", err)
	}

	st.segment = st.seq
	st.off = 0
	if st.seq == 0 {
		return nil
	}

	us := max(w.cfg.now().UnixMicro(), st.lastUS)
	checkpoint, err := w.newCheckpoint(st, us, audit.CodeSegment, newKey)
	if err != nil {
		return err
	}
	w.appendCheckpoint(st, us, checkpoint)
	for _, counts := range w.counts.StartSegment(us) {
		counts.Wall = w.wallBefore(us)
		w.appendOwnRecord(st, us, counts)
	}

	return nil
}

// closeSegment cuts the zeros after the last durable line, makes the cut durable
// and closes the file. It does nothing if the file is closed. The cut comes
// before the next segment exists, because zeros are damage in any but the last
// segment.
func (w *writer) closeSegment() error {
	f := w.file
	w.file = nil
	if f == nil {
		return nil
	}

	err := f.Truncate(w.state.off)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("trim %s: %w", segment.Name(w.state.segment), err), f.Close())
	}

	return f.Close()
}

// abandon closes the files of the writer, if they are open, without writing to
// them.
func (w *writer) abandon() error {
	w.discardNext()

	f := w.file
	w.file = nil
	if f == nil {
		return nil
	}

	return f.Close()
}

// commit makes the records of g durable, in a new segment if the current one is
// full. checkpointCode is the code of the checkpoint to make after them, or
// empty. An interval checkpoint is left out if there are no lines since the
// last, and a closing one if the log ends with one.
//
// commit returns the state after its last line. If the error is not nil, none of
// the records may be acknowledged, and the caller must call repair before the
// next commit.
func (w *writer) commit(g *group, checkpointCode string) (st state, syncTime time.Duration, err error) {
	st = w.state
	w.resetBuffer()

	if st.off >= w.cfg.SegmentBytes || w.shouldSwitchEarly(&st) {
		if err := w.closeSegment(); err != nil {
			return st, 0, err
		}
		if err := w.startSegment(&st, nil); err != nil {
			return st, 0, err
		}
	}

	if g.clockBack > 0 {
		w.appendOwnRecord(&st, st.lastUS, &audit.Record{
			Kind:   audit.KindClock,
			Wall:   w.wallBefore(st.lastUS),
			Detail: fmt.Sprintf("the system clock went back by %v; until it has caught up, wall is what it says and time keeps the order", g.clockBack),
		})
	}
	cosigned := w.appendCosigned(&st, g)
	start := 0
	for _, e := range g.entries {
		w.appendLine(&st, e.us, w.counts.Next(e.task, e.us, e.event), g.bodies[start:e.end])
		start = e.end
	}

	needsCheckpoint := checkpointCode == audit.CodeInterval && st.unsealed ||
		checkpointCode == audit.CodeClose && !st.closed
	if needsCheckpoint {
		us := max(w.cfg.now().UnixMicro(), st.lastUS)
		checkpoint, err := w.newCheckpoint(&st, us, checkpointCode, nil)
		if err != nil {
			return st, 0, err
		}
		w.appendCheckpoint(&st, us, checkpoint)
	}

	if len(w.buf) == 1 { // no lines
		return st, 0, nil
	}
	syncTime, err = w.writeBuffer(&st)
	if err != nil {
		return st, syncTime, err
	}

	if cosigned != nil {
		w.cosigned.CompareAndSwap(cosigned, nil) // a newer note stays
	}
	w.preallocateNext(st.off)

	return st, syncTime, nil
}

// appendCosigned appends the note that the witnesses signed, if there is one that
// is not on record, and returns it. It waits for a group with records: on its own
// the note would cause a checkpoint, which the witnesses would sign, and so on
// without end.
func (w *writer) appendCosigned(st *state, g *group) *string {
	if w.cosigned == nil || len(g.entries) == 0 {
		return nil
	}

	note := w.cosigned.Load()
	if note != nil {
		w.appendOwnRecord(st, st.lastUS, &audit.Record{Kind: audit.KindCosigned, Wall: w.wallBefore(st.lastUS), Checkpoint: *note})
	}

	return note
}
