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

// state is where the log stands after some line. The writer keeps the one that
// is on stable storage and works on a copy.
type state struct {
	segment     uint64      // first seq of the segment
	off         int64       // end of the last line in it
	seq         uint64      // of the next line
	head        merkle.Hash // leaf merkle.Hash of the last line
	tree        merkle.Tree
	lastUS      int64
	unsealed    bool  // there are lines after the last checkpoint
	checkpoints int64 // made since Open
	ended       bool  // the last line is a closing checkpoint
}

// writer is the committer's: it alone writes the folder.
type writer struct {
	cfg      Config
	instance string
	origin   string
	signer   *signer
	pub      audit.PublicKey
	file     file
	prepared bool             // file was a spare
	worth    int64            // from this length of file on a spare is made
	spare    *spare           // nil: none is made or being made
	st       state            // durable
	tasks    audit.TaskCounts // of st and what is being committed; after a failure it is read again
	out      []byte           // out[0] is spare, so that each line has a byte before it
	leaves   []merkle.Hash    // of the lines in out
	sealed   uint64           // seq of the newest checkpoint in out
	note     string           // and its signed note; "": there is none
	fresh    fresh
	own      []byte
	cosigned *atomic.Pointer[string] // a note that goes on record with the next records; nil: there are no witnesses
}

func (w *writer) path(first uint64) string { return filepath.Join(w.cfg.Dir, segment.Name(first)) }

// begin empties out.
func (w *writer) begin() {
	w.out = append(w.out[:0], 0)
	w.leaves, w.note = w.leaves[:0], ""
}

// put adds one line to out and to st.
func (w *writer) put(st *state, us int64, taskSeq uint64, body []byte) {
	us = max(us, st.lastUS)
	start := len(w.out)
	w.out = audit.AppendLine(w.out, st.seq, taskSeq, st.head, us, body)
	before := w.out[start-1]
	w.out[start-1] = 0 // RFC 6962's leaf prefix, without a copy
	st.head = merkle.LeafHash(w.out[start-1:])
	w.out[start-1] = before
	st.tree.Add(st.head)
	w.leaves = append(w.leaves, st.head)
	w.out = append(w.out, '\n')
	st.seq++
	st.lastUS = us
	st.unsealed, st.ended = true, false
}

// putOwn adds a record that the log makes itself.
func (w *writer) putOwn(st *state, us int64, r *audit.Record) {
	if r.ID == "" {
		r.ID = audit.NewID()
	}
	r.Instance = w.instance
	w.own = audit.AppendBody(w.own[:0], r)
	w.put(st, us, 0, w.own)
}

func (w *writer) putCheckpoint(st *state, us int64, r *audit.Record) {
	w.sealed, w.note = st.seq, r.Checkpoint
	w.putOwn(st, us, r)
	st.unsealed, st.ended = false, r.Code == audit.CodeClose
	st.checkpoints++
}

// write makes what is in out durable, and st with it.
func (w *writer) write(st *state) (syncing time.Duration, err error) {
	lines := w.out[1:]
	end := st.off + int64(len(lines))
	if _, err := w.file.WriteAt(lines, st.off); err != nil {
		return 0, fmt.Errorf("write %s: %w", segment.Name(st.segment), err)
	}
	began := time.Now()
	if err := w.file.Sync(); err != nil {
		return 0, fmt.Errorf("sync %s: %w", segment.Name(st.segment), err)
	}
	st.off = end
	w.st = *st
	w.fresh.add(st.seq-uint64(len(w.leaves)), w.leaves, w.sealed, w.note)
	return time.Since(began), nil
}

// next starts the segment whose first line is st.seq, with a checkpoint; with
// one that announces another key, if another is given.
func (w *writer) next(st *state, another *signer) error {
	if err := w.newSegment(w.path(st.seq)); err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	if err := w.cfg.disk.syncDir(w.cfg.Dir); err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	st.segment, st.off = st.seq, 0
	if st.seq == 0 {
		return nil
	}
	us := max(w.cfg.now().UnixMicro(), st.lastUS)
	r, err := w.seal(st, us, audit.CodeSegment, another)
	if err != nil {
		return err
	}
	w.putCheckpoint(st, us, r)
	for _, r := range w.tasks.StartSegment(us) {
		w.putOwn(st, us, r)
	}
	return nil
}

// trim cuts the zeros off the segment and closes it.
func (w *writer) trim() error {
	f := w.file
	w.file = nil
	if f == nil {
		return nil
	}
	if err := f.Truncate(w.st.off); err != nil {
		return errors.Join(fmt.Errorf("trim %s: %w", segment.Name(w.st.segment), err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("trim %s: %w", segment.Name(w.st.segment), err), f.Close())
	}
	return f.Close()
}

// commit makes g durable, with a checkpoint behind it unless seal is "".
func (w *writer) commit(g *group, seal string) (st state, syncing time.Duration, err error) {
	st = w.st
	w.begin()
	if st.off >= w.cfg.SegmentBytes || w.turns(&st) {
		if err := w.trim(); err != nil {
			return st, 0, err
		}
		if err := w.next(&st, nil); err != nil {
			return st, 0, err
		}
	}
	if g.clock > 0 {
		w.putOwn(&st, st.lastUS, &audit.Record{Kind: audit.KindClock,
			Detail: fmt.Sprintf("the system clock went back by %v; times stand still until it catches up", time.Duration(g.clock)*time.Microsecond)})
	}
	note := w.takeCosigned(&st, g)
	start := 0
	for _, e := range g.entries {
		w.put(&st, e.us, w.tasks.Next(e.task, e.us, e.ends), g.bodies[start:e.end])
		start = e.end
	}
	if (seal == audit.CodeInterval && st.unsealed) || (seal == audit.CodeClose && !st.ended) {
		us := max(w.cfg.now().UnixMicro(), st.lastUS)
		r, err := w.seal(&st, us, seal, nil)
		if err != nil {
			return st, 0, err
		}
		w.putCheckpoint(&st, us, r)
	}
	if len(w.out) == 1 {
		return st, 0, nil
	}
	if syncing, err = w.write(&st); err != nil {
		return st, syncing, err
	}
	if note != nil {
		w.cosigned.CompareAndSwap(note, nil)
	}
	w.prepare(st.off)
	return st, syncing, nil
}

// takeCosigned puts what witnesses signed on record, before the records of g. It
// waits for some: by itself it would bring on a checkpoint, and that the next
// signatures, for ever.
func (w *writer) takeCosigned(st *state, g *group) *string {
	if w.cosigned == nil || len(g.entries) == 0 {
		return nil
	}
	note := w.cosigned.Load()
	if note != nil {
		w.putOwn(st, st.lastUS, &audit.Record{Kind: audit.KindCosigned, Checkpoint: *note})
	}
	return note
}
