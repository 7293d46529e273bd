package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrBroken is in the error of a verification that found something.
var ErrBroken = errors.New("the log is broken")

const maxOpen = 100_000 // intents without outcome that are remembered

// VerifyOptions may all be left zero.
type VerifyOptions struct {
	Kept     *Checkpoint             // one kept elsewhere: what it covers must still be there, unchanged
	Progress func(done, total int64) // bytes; called now and then
}

// Fault is the first record that does not fit. In a chain the change may lie in
// it or in the line before it.
type Fault struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1
	Seq  uint64 `json:"seq"`
	Why  string `json:"why"`
}

// Report says what a verification saw.
type Report struct {
	Records    uint64      `json:"records"`
	Segments   int         `json:"segments"`
	Last       *Checkpoint `json:"last,omitempty"`       // the last that was found good; nil: none
	Unsealed   uint64      `json:"unsealed,omitempty"`   // records after it: not yet sealed, a change there may be unseen
	Unfinished int64       `json:"unfinished,omitempty"` // bytes of a line still being written, or torn by a crash
	Closed     bool        `json:"closed"`               // the log ends as it does when it is closed
	Open       []string    `json:"open,omitempty"`       // ids of intents without outcome, the first 100,000
	Bad        *Fault      `json:"bad,omitempty"`        // nil: nothing found
}

// Verify checks the log in dir offline with the public key alone, in bounded
// memory, also while it is being written. An error is ErrBroken when the log
// was changed (then Report.Bad says where), else it could not be read. A nil
// error proves the records that the last checkpoint covers; see Unsealed.
func Verify(dir string, pub PublicKey, progress func(done, total int64)) (Report, error) {
	return VerifyWith(dir, pub, VerifyOptions{Progress: progress})
}

// VerifyWith is Verify with options.
func VerifyWith(dir string, pub PublicKey, o VerifyOptions) (Report, error) {
	v := &verification{walker: walker{pub: pub}, o: o, open: map[string]bool{}}
	segs, err := segments(dir)
	if err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	if len(segs) == 0 {
		return v.Report, fmt.Errorf("audit: verify: %s holds no log", dir)
	}
	for _, s := range segs {
		v.total += s.size
	}
	for i, s := range segs {
		if err := v.segment(s, i == len(segs)-1); err != nil || v.Bad != nil {
			return v.report(err)
		}
	}
	if k := o.Kept; k != nil && !v.sawKept {
		v.Bad = &Fault{File: dir, Seq: v.seq, Why: fmt.Sprintf("the log ends after %d records, the kept checkpoint is record %d: the tail was cut", v.seq, k.Size)}
	}
	return v.report(nil)
}

type verification struct {
	walker
	Report
	o           VerifyOptions
	open        map[string]bool
	done, total int64
	sawKept     bool
}

func (v *verification) segment(s segment, last bool) error {
	v.Segments++
	if s.first != v.seq {
		v.Bad = &Fault{File: s.path, Line: 1, Seq: v.seq, Why: fmt.Sprintf("the segment begins with seq %d, want %d: a segment is missing or was cut", s.first, v.seq)}
		return nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := newLines(f)
	for v.Bad == nil {
		line, err := in.next()
		var t *torn
		switch {
		case errors.Is(err, io.EOF):
			v.done += s.size
			v.progress(0)
			return nil
		case errors.As(err, &t) && last:
			v.Unfinished = t.bytes
			return nil
		case errors.As(err, &t), err != nil && !isPathError(err):
			v.Bad = &Fault{s.path, in.n + 1, v.seq, err.Error()}
			return nil
		case err != nil:
			return err
		}
		v.line(s, in, line)
	}
	return nil
}

func isPathError(err error) bool {
	var p *os.PathError
	return errors.As(err, &p)
}

func (v *verification) line(s segment, in *lines, line []byte) {
	r, err := v.step(line)
	if err == nil && in.n == 1 && s.first > 0 && r.Kind != KindCheckpoint {
		err = errors.New("a segment must begin with a checkpoint")
	}
	if err != nil {
		v.Bad = &Fault{s.path, in.n, v.seq, err.Error()}
		return
	}
	v.kept(s, in, &r)
	v.Records++
	if r.Kind == "intent" && len(v.open) < maxOpen {
		v.open[r.ID] = true
	}
	if r.Intent != "" {
		delete(v.open, r.Intent)
	}
	if in.n%4096 == 0 {
		v.progress(in.off)
	}
}

// kept compares the kept checkpoint with the lines before r, where it was
// signed. The record that carried it must be there too.
func (v *verification) kept(s segment, in *lines, r *Record) {
	k := v.o.Kept
	if k == nil || v.sawKept || r.Seq != k.Size {
		return
	}
	v.sawKept = true
	if r.Kind != KindCheckpoint || v.last.Root != k.Root || v.last.Head != k.Head {
		v.Bad = &Fault{s.path, in.n, r.Seq, fmt.Sprintf("the first %d records are not those that the kept checkpoint covers", k.Size)}
	}
}

func (v *verification) progress(in int64) {
	if v.o.Progress != nil {
		v.o.Progress(min(v.done+in, v.total), v.total)
	}
}

func (v *verification) report(err error) (Report, error) {
	r := v.Report
	r.Last, r.Unsealed, r.Closed = v.last, v.unsealed, v.ended && v.Unfinished == 0
	for id := range v.open {
		r.Open = append(r.Open, id)
	}
	sortIDs(r.Open)
	if err != nil {
		return r, fmt.Errorf("audit: verify: %w", err)
	}
	if r.Bad != nil {
		return r, fmt.Errorf("audit: %w: %s line %d (seq %d): %s", ErrBroken, r.Bad.File, r.Bad.Line, r.Bad.Seq, r.Bad.Why)
	}
	return r, nil
}
