package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ErrBroken is in the error of a verification that found a change.
var ErrBroken = errors.New("the log is broken")

// ErrNotWitnessed is in the error of a verification that found no change but
// too few witnesses.
var ErrNotWitnessed = errors.New("too few witnesses signed the published checkpoint")

// VerifyOptions are the options of [VerifyWith]. All may be left zero.
type VerifyOptions struct {
	// Kept are signed checkpoints that were kept elsewhere. The log must still
	// hold what they cover, unchanged.
	Kept []string

	// Progress, if not nil, is called now and then with the bytes that were read
	// and the bytes of the log.
	Progress func(done, total int64)

	// At least Quorum of the Witnesses must have signed the published checkpoint,
	// else the error is ErrNotWitnessed.
	Witnesses []WitnessKey
	Quorum    int
}

// Fault is the first record that does not fit. In a chain the change may lie in
// that record or in the one before it.
type Fault struct {
	File string `json:"file"`
	Line int    `json:"line"` // in the file, from 1
	Seq  uint64 `json:"seq"`
	Why  string `json:"why"`
}

// UnfinishedEnd says where the lines of the last segment end and other bytes begin.
type UnfinishedEnd struct {
	File       string `json:"file"`
	Offset     int64  `json:"offset"`
	AfterZeros int64  `json:"after_zeros,omitempty"` // offset of the first byte that follows zeros; 0 if none does
}

// Report says what a verification found.
type Report struct {
	Records      uint64         `json:"records"`
	Segments     int            `json:"segments"`
	From         time.Time      `json:"from,omitzero"`           // time of the first record
	To           time.Time      `json:"to,omitzero"`             // time of the last record
	Last         *Checkpoint    `json:"last,omitempty"`          // the last valid checkpoint; nil if there is none
	Keys         []string       `json:"keys,omitempty"`          // verifier keys that replaced the first one, in order
	Unsealed     uint64         `json:"unsealed,omitempty"`      // records after Last, where a change may go unnoticed
	Unfinished   int64          `json:"unfinished,omitempty"`    // bytes of lines that are being written or that a crash tore
	UnfinishedAt *UnfinishedEnd `json:"unfinished_at,omitempty"` // where those lines begin; nil if there are none
	Closed       bool           `json:"closed"`                  // the log ends as it does when it is closed
	Open         []OpenIntent   `json:"open,omitempty"`          // intents without outcome, in order, the first 100,000
	OpenMore     int            `json:"open_more,omitempty"`     // intents without outcome that Open does not list
	Published    uint64         `json:"published,omitempty"`     // records that the published checkpoint covers
	Cosigned     []Cosignature  `json:"cosigned,omitempty"`      // of that checkpoint, by the given witnesses
	Bad          *Fault         `json:"bad,omitempty"`           // nil if no change was found
}

// Verify checks the log in dir offline with the public key alone. It uses
// bounded memory and all processors, and it may run while the log is written.
// progress may be nil; see [VerifyOptions].
//
// The error is ErrBroken if the log was changed; then Report.Bad says where.
// Other errors say that the log could not be read. Without an error, the records
// that the last checkpoint covers are those that the holder of the key wrote;
// see Report.Unsealed for the rest.
func Verify(dir string, pub PublicKey, progress func(done, total int64)) (Report, error) {
	return VerifyWith(dir, pub, VerifyOptions{Progress: progress})
}

// VerifyWith is [Verify] with options. It treats the checkpoint that the log
// published next to its segments as one of o.Kept.
func VerifyWith(dir string, pub PublicKey, o VerifyOptions) (Report, error) {
	v := &verification{options: o, firstKey: pub, chain: Chain{Key: pub}, tiles: newTileCheck(dir)}
	if err := v.readKept(dir); err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}

	files, err := segment.List(dir)
	if err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	if len(files) == 0 {
		return v.Report, fmt.Errorf("audit: verify: %s holds no log: %w", dir, os.ErrNotExist)
	}

	v.total = segment.TotalSize(files)
	for i, f := range files {
		err := v.verifySegment(f, i == len(files)-1)
		if err != nil || v.Bad != nil {
			return v.finish(err)
		}
	}

	err = v.checkKeptReached(dir)
	if err != nil || v.Bad != nil {
		return v.finish(err)
	}
	if v.tiles != nil && v.tiles.bad != nil { // after everything that is wrong with the records
		v.Bad = v.tiles.bad
		return v.finish(nil)
	}
	if len(v.Cosigned) < o.Quorum {
		return v.finish(fmt.Errorf("%w: %d, %d are needed", ErrNotWitnessed, len(v.Cosigned), o.Quorum))
	}

	return v.finish(nil)
}

// verification is one call of VerifyWith. Its methods set Report.Bad when they
// find a change and return errors only for what could not be read.
type verification struct {
	Report
	options  VerifyOptions
	firstKey PublicKey
	chain    Chain
	intents  openIntents
	firstUS  int64 // time of the first record, microseconds since 1970

	done, total int64 // bytes of whole segments read, bytes of the log

	tiles       *tileCheck // nil if there are no tiles
	kept        []*keptCheckpoint
	unsignedErr error // kept checkpoints that no key of the log signed
}

// verifySegment verifies the lines of a segment.
func (v *verification) verifySegment(file segment.File, last bool) error {
	v.Segments++

	if file.First != v.chain.Seq {
		v.Bad = &Fault{File: file.Path, Line: 1, Seq: v.chain.Seq,
			Why: fmt.Sprintf("the segment begins with seq %d, want %d: a segment is missing or was cut", file.First, v.chain.Seq)}
		return nil
	}

	f, err := os.Open(file.Path)
	if err != nil {
		return err
	}
	defer f.Close()

	off, n, err := readLinesParallel(f, func(p *parsedLine, n int, end int64) bool {
		v.verifyLine(file, n, end, p)
		return v.Bad == nil
	})
	if err != nil || v.Bad != nil {
		return err
	}

	return v.verifyRest(file, last, f, off, n)
}

// verifyRest verifies a segment line by line from off on, where
// readLinesParallel found something other than a whole line. n is the number of
// lines before off.
func (v *verification) verifyRest(file segment.File, last bool, f *os.File, off int64, n int) error {
	in := segment.NewReader(io.NewSectionReader(f, off, 1<<62))
	in.Offset = off
	in.Lines = n

	for v.Bad == nil {
		line, err := in.Next()
		if err == nil {
			var p parsedLine
			p.parse(line)
			v.verifyLine(file, in.Lines, in.Offset, &p)
			continue
		}

		var torn *segment.TornTail
		var pathErr *os.PathError
		switch {
		case errors.Is(err, io.EOF):
			v.done += file.Size
			v.reportProgress(0)
			return nil
		case errors.As(err, &torn) && last:
			v.Unfinished = torn.Bytes
			v.UnfinishedAt = &UnfinishedEnd{File: file.Path, Offset: torn.Offset}
			v.UnfinishedAt.AfterZeros, err = findBytesAfterZeros(f, torn)
			return err
		case errors.As(err, &pathErr):
			return err
		}
		v.Bad = &Fault{file.Path, in.Lines + 1, v.chain.Seq, err.Error()}
	}

	return nil
}

// findBytesAfterZeros returns the offset of the first byte in the end of a segment that
// is not zero and follows zeros, or 0 if none does. A crash can leave such bytes,
// where the disk had written only the end of a group, and so can somebody who writes
// into the file. Neither becomes a record.
func findBytesAfterZeros(f io.ReaderAt, torn *segment.TornTail) (offset int64, err error) {
	in := bufio.NewReader(io.NewSectionReader(f, torn.Offset, torn.Bytes))
	afterZero := false
	for offset = torn.Offset; ; offset++ {
		b, err := in.ReadByte()
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if b != 0 && afterZero {
			return offset, nil
		}
		afterZero = b == 0
	}
}

// verifyLine verifies line n of a segment, which ends at offset end.
func (v *verification) verifyLine(file segment.File, n int, end int64, p *parsedLine) {
	err := v.chain.check(p)
	if err == nil && string(p.kind) == KindCosigned {
		err = v.checkCosigned(p)
	}
	if err == nil {
		err = checkSegmentStart(n == 1 && file.First > 0, p)
	}
	if err != nil {
		v.Bad = &Fault{file.Path, n, v.chain.Seq, err.Error()}
		return
	}

	if err := v.compareWithKept(p); err != nil {
		v.Bad = &Fault{file.Path, n, p.seq, err.Error()}
	}

	if v.tiles != nil {
		v.tiles.add(p.leaf)
	}
	if v.Records == 0 {
		v.firstUS = p.us
	}
	v.Records++
	v.intents.add(p)
	if n%4096 == 0 {
		v.reportProgress(end)
	}
}

// checkSegmentStart checks that a line says that it begins a segment if and only
// if it does. The first segment does not begin with such a line.
func checkSegmentStart(begins bool, p *parsedLine) error {
	code := string(p.code)
	says := p.isCheckpoint() && (code == CodeSegment || code == CodeKey)
	if says != begins {
		return errors.New("a segment must begin with a checkpoint that says so, and no other line may say so")
	}

	return nil
}

// reportProgress calls Progress with the bytes read, of which current are in the
// current segment.
func (v *verification) reportProgress(current int64) {
	if v.options.Progress != nil {
		v.options.Progress(min(v.done+current, v.total), v.total)
	}
}

// finish completes the report and returns it with the error of VerifyWith.
func (v *verification) finish(err error) (Report, error) {
	r := v.Report
	r.Last = v.chain.LastCheckpoint
	r.Unsealed = v.chain.Unsealed
	r.Closed = v.chain.Closed && v.Unfinished == 0 && r.Bad == nil
	for _, k := range v.chain.LaterKeys {
		r.Keys = append(r.Keys, k.String())
	}
	r.Open, r.OpenMore = v.intents.list()
	if v.chain.Seq > 0 {
		r.From = time.UnixMicro(v.firstUS).UTC()
		r.To = time.UnixMicro(v.chain.LastUS).UTC()
	}

	if err != nil {
		return r, fmt.Errorf("audit: verify: %w", err)
	}
	if r.Bad != nil {
		return r, fmt.Errorf("audit: %w: %s line %d (seq %d): %s", ErrBroken, r.Bad.File, r.Bad.Line, r.Bad.Seq, r.Bad.Why)
	}

	return r, nil
}
