package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ErrBroken is in the error of a verification that found something.
var ErrBroken = errors.New("the log is broken")

// VerifyOptions may all be left zero.
type VerifyOptions struct {
	Kept     []string                // signed checkpoints that were kept elsewhere: what they cover must still be there, unchanged
	Progress func(done, total int64) // bytes; called now and then

	// Quorum of the Witnesses must have signed the published checkpoint; else
	// the error is ErrNotWitnessed.
	Witnesses []WitnessKey
	Quorum    int
}

// ErrNotWitnessed is in the error of a verification that found nothing wrong
// but too few witnesses.
var ErrNotWitnessed = errors.New("too few witnesses signed the published checkpoint")

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
	Records    uint64        `json:"records"`
	Segments   int           `json:"segments"`
	From       time.Time     `json:"from,omitzero"`        // of the first record
	To         time.Time     `json:"to,omitzero"`          // of the last one
	Last       *Checkpoint   `json:"last,omitempty"`       // the last that was found good; nil: none
	Keys       []string      `json:"keys,omitempty"`       // verifier keys that took over, in order
	Unsealed   uint64        `json:"unsealed,omitempty"`   // records after it: not yet sealed, a change there may be unseen
	Unfinished int64         `json:"unfinished,omitempty"` // bytes of a line still being written, or torn by a crash
	Closed     bool          `json:"closed"`               // the log ends as it does when it is closed
	Open       []OpenIntent  `json:"open,omitempty"`       // intents without outcome in order, the first 100,000
	OpenMore   int           `json:"open_more,omitempty"`  // intents without outcome that are not listed
	Published  uint64        `json:"published,omitempty"`  // records that the published checkpoint covers
	Cosigned   []Cosignature `json:"cosigned,omitempty"`   // of it, by the witnesses that were asked for
	Bad        *Fault        `json:"bad,omitempty"`        // nil: nothing found
}

// Verify checks the log in dir offline with the public key alone, in bounded
// memory and on all processors, also while it is being written. An error is
// ErrBroken when the log was changed (then Report.Bad says where), else it
// could not be read. A nil error proves the records that the last checkpoint
// covers; see Unsealed.
func Verify(dir string, pub PublicKey, progress func(done, total int64)) (Report, error) {
	return VerifyWith(dir, pub, VerifyOptions{Progress: progress})
}

// VerifyWith is Verify with options. The checkpoint that the log published
// beside its segments counts as one that was kept.
func VerifyWith(dir string, pub PublicKey, o VerifyOptions) (Report, error) {
	v := &verification{chain: Chain{Key: pub}, o: o, given: pub}
	if err := v.keep(dir, o.Kept); err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	segs, err := segment.List(dir)
	if err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	if len(segs) == 0 {
		return v.Report, fmt.Errorf("audit: verify: %s holds no log: %w", dir, os.ErrNotExist)
	}
	for _, s := range segs {
		v.total += s.Size
	}
	for i, s := range segs {
		if err := v.segment(s, i == len(segs)-1); err != nil || v.Bad != nil {
			return v.report(err)
		}
	}
	if err := v.missing(dir); err != nil || v.Bad != nil {
		return v.report(err)
	}
	if len(v.Cosigned) < o.Quorum {
		return v.report(fmt.Errorf("%w: %d, %d are needed", ErrNotWitnessed, len(v.Cosigned), o.Quorum))
	}
	return v.report(nil)
}

type verification struct {
	Report
	chain       Chain
	o           VerifyOptions
	open        openIntents
	done, total int64
	kept        []*keptNote
	notOurs     error // of kept checkpoints that the log's keys did not sign
	given       PublicKey
}

func (v *verification) segment(s segment.File, last bool) error {
	v.Segments++
	if s.First != v.chain.Seq {
		v.Bad = &Fault{File: s.Path, Line: 1, Seq: v.chain.Seq, Why: fmt.Sprintf("the segment begins with seq %d, want %d: a segment is missing or was cut", s.First, v.chain.Seq)}
		return nil
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	off, n, err := readAhead(f, func(p *parsed, n int, off int64) bool {
		v.line(s, n, off, p)
		return v.Bad == nil
	})
	if err != nil || v.Bad != nil {
		return err
	}
	return v.rest(s, last, f, off, n)
}

// rest goes on line by line where readAhead left off: at what is no whole line.
func (v *verification) rest(s segment.File, last bool, f *os.File, off int64, n int) error {
	in := segment.NewReader(io.NewSectionReader(f, off, 1<<62))
	in.Offset, in.Lines = off, n
	for v.Bad == nil {
		line, err := in.Next()
		var t *segment.TornTail
		switch {
		case errors.Is(err, io.EOF):
			v.done += s.Size
			v.progress(0)
			return nil
		case errors.As(err, &t) && last:
			v.Unfinished = t.Bytes
			return nil
		case errors.As(err, &t), err != nil && !isPathError(err):
			v.Bad = &Fault{s.Path, in.Lines + 1, v.chain.Seq, err.Error()}
			return nil
		case err != nil:
			return err
		}
		var p parsed
		p.parse(line)
		v.line(s, in.Lines, in.Offset, &p)
	}
	return nil
}

func isPathError(err error) bool {
	var p *os.PathError
	return errors.As(err, &p)
}

func (v *verification) line(s segment.File, n int, off int64, p *parsed) {
	err := v.chain.take(p)
	if err == nil && string(p.kind) == KindCosigned {
		err = v.cosigned(p)
	}
	if err == nil {
		err = begins(n == 1 && s.First > 0, p)
	}
	if err != nil {
		v.Bad = &Fault{s.Path, n, v.chain.Seq, err.Error()}
		return
	}
	if err := v.compare(p); err != nil {
		v.Bad = &Fault{s.Path, n, p.seq, err.Error()}
	}
	v.Records++
	v.open.take(p)
	if n%4096 == 0 {
		v.progress(off)
	}
}

// begins checks that the line is a segment's first if and only if it says so.
func begins(first bool, p *parsed) error {
	code := string(p.code)
	if says := string(p.kind) == KindCheckpoint && (code == CodeSegment || code == CodeKey); says != first {
		return errors.New("a segment must begin with a checkpoint that says so, and no other line may say so")
	}
	return nil
}

func (v *verification) progress(in int64) {
	if v.o.Progress != nil {
		v.o.Progress(min(v.done+in, v.total), v.total)
	}
}

func (v *verification) report(err error) (Report, error) {
	r := v.Report
	r.Last, r.Unsealed, r.Closed = v.chain.LastCheckpoint, v.chain.Unsealed, v.chain.Closed && v.Unfinished == 0 && r.Bad == nil
	for _, k := range v.chain.LaterKeys {
		r.Keys = append(r.Keys, k.String())
	}
	r.Open, r.OpenMore = v.open.list()
	if v.chain.Seq > 0 {
		r.From, r.To = time.UnixMicro(v.open.firstUS).UTC(), time.UnixMicro(v.chain.LastUS).UTC()
	}
	if err != nil {
		return r, fmt.Errorf("audit: verify: %w", err)
	}
	if r.Bad != nil {
		return r, fmt.Errorf("audit: %w: %s line %d (seq %d): %s", ErrBroken, r.Bad.File, r.Bad.Line, r.Bad.Seq, r.Bad.Why)
	}
	return r, nil
}
