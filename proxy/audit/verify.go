package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ErrBroken is in the error of a verification that found a change.
var ErrBroken = errors.New("the log is broken")

// ErrNotWitnessed is in the error of a verification that found no change but
// too few witnesses.
var ErrNotWitnessed = errors.New("too few witnesses signed the published checkpoint")

// VerifyOptions are the options of [Folders.Verify]. All may be left zero.
type VerifyOptions struct {
	// Keys are further keys of the log that the verifier knows. The log must
	// announce a key before it signs records with it; but whatever one of these
	// keys signed is a checkpoint of the log, also if its end, with the
	// announcement, was cut off.
	Keys []PublicKey

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
	Records      uint64           `json:"records"` // that were read
	Segments     int              `json:"segments"`
	Start        uint64           `json:"start,omitempty"`         // number of the first record; those before it are not in the folders
	StartMoved   *ArchivedSegment `json:"start_moved,omitempty"`   // what a record says of the segment before Start; nil if none does
	From         time.Time        `json:"from,omitzero"`           // time of the first record
	To           time.Time        `json:"to,omitzero"`             // time of the last record
	Last         *Checkpoint      `json:"last,omitempty"`          // the last valid checkpoint; nil if there is none
	Keys         []string         `json:"keys,omitempty"`          // verifier keys that replaced the first one, in order
	NotAnnounced []string         `json:"not_announced,omitempty"` // of the given keys, those that the records never announce
	Unsealed     uint64           `json:"unsealed,omitempty"`      // records after Last, where a change may go unnoticed
	Unfinished   int64            `json:"unfinished,omitempty"`    // bytes of lines that are being written or that a crash tore
	UnfinishedAt *UnfinishedEnd   `json:"unfinished_at,omitempty"` // where those lines begin; nil if there are none
	Closed       bool             `json:"closed"`                  // the log ends as it does when it is closed
	Open         []OpenIntent     `json:"open,omitempty"`          // intents without outcome, in order, the first 100,000
	OpenMore     int              `json:"open_more,omitempty"`     // intents without outcome that Open does not list
	Published    uint64           `json:"published,omitempty"`     // records that the published checkpoint covers
	Cosigned     []Cosignature    `json:"cosigned,omitempty"`      // of that checkpoint, by the given witnesses
	Accepted     []AcceptedBreak  `json:"accepted,omitempty"`      // rollbacks that an operator accepted on record
	Bad          *Fault           `json:"bad,omitempty"`           // nil if no change was found
}

// Verify checks the log in dir offline with the public key alone. progress may be
// nil; see [VerifyOptions], and [Folders.Verify] for everything else.
func Verify(dir string, pub PublicKey, progress func(done, total int64)) (Report, error) {
	return VerifyWith(dir, pub, VerifyOptions{Progress: progress})
}

// VerifyWith is [Folders.Verify] for a log in one directory.
func VerifyWith(dir string, pub PublicKey, o VerifyOptions) (Report, error) {
	return Folders{dir}.Verify(pub, o)
}

// Verify checks the log offline with the public key alone. It uses bounded memory
// and all processors, and it may run while the log is written. It treats the
// checkpoints that the log published next to its segments as some of o.Kept.
//
// If the folders do not hold the beginning of the log, Verify begins at the first
// checkpoint that they hold, which must be the first line of a segment: its
// signature vouches for the tree of the records before it. Report.Start says so.
//
// The error is ErrBroken if the log was changed; then Report.Bad says where.
// Other errors say that the log could not be read. Without an error, the records
// that the last checkpoint covers are those that the holder of the key wrote;
// see Report.Unsealed for the rest.
func (f Folders) Verify(pub PublicKey, o VerifyOptions) (Report, error) {
	v := &verification{
		log:     f,
		options: o,
		keys:    append([]PublicKey{pub}, o.Keys...),
		chain:   Chain{Key: pub},
		roots:   map[uint64]string{},
	}
	if err := v.readKept(); err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	for _, dir := range f {
		v.tiles = append(v.tiles, newTileChecks(dir)...)
	}

	files, err := f.segments()
	if err != nil {
		return v.Report, fmt.Errorf("audit: verify: %w", err)
	}
	if len(files) == 0 {
		return v.Report, fmt.Errorf("audit: verify: %s holds no log: %w", f, os.ErrNotExist)
	}

	v.files = files
	v.total = segment.TotalSize(files)
	for i, file := range files {
		err := v.verifySegment(file, i)
		if err != nil {
			return v.finish(err)
		}
		if v.Bad != nil {
			return v.finish(v.compareWithKeptAt(false))
		}
	}

	err = v.compareWithKeptAt(true)
	if err != nil || v.Bad != nil {
		return v.finish(err)
	}
	for _, t := range v.tiles { // after everything that is wrong with the records
		if t.bad != nil && (v.Bad == nil || t.bad.Seq < v.Bad.Seq) {
			v.Bad = t.bad
		}
	}
	if v.Bad != nil {
		return v.finish(nil)
	}
	if len(v.Cosigned) < o.Quorum {
		return v.finish(fmt.Errorf("%w: %d, %d are needed", ErrNotWitnessed, len(v.Cosigned), o.Quorum))
	}

	return v.finish(nil)
}

// verification is one call of Verify. Its methods set Report.Bad when they find a
// change and return errors only for what could not be read.
type verification struct {
	Report
	log     Folders
	options VerifyOptions
	keys    []PublicKey // given by the caller; the first one signed the beginning of the log
	chain   Chain
	intents openIntents
	firstUS int64             // time of the first record, microseconds since 1970
	roots   map[uint64]string // Merkle root before the first line of each segment, by the line's number

	files       []segment.File
	done, total int64 // bytes of whole segments read, bytes of the log

	tiles []*tileCheck
	kept  []*keptCheckpoint
}

// lastFile returns the path of the last segment.
func (v *verification) lastFile() string { return v.files[len(v.files)-1].Path }

// compareWithKeptAt sets Bad to what contradicts a kept checkpoint, if that comes
// before what is wrong already. end says that the whole log was read. The error
// says that a checkpoint could not be compared.
func (v *verification) compareWithKeptAt(end bool) error {
	fault, err := v.checkKept(end)
	if fault != nil && (v.Bad == nil || fault.Seq < v.Bad.Seq) {
		v.Bad = fault
	}
	if v.Bad != nil {
		return nil
	}

	return err
}

// verifySegment verifies the lines of the segment with index i.
func (v *verification) verifySegment(file segment.File, i int) error {
	v.Segments++

	f, err := file.Open()
	if err != nil {
		return err
	}
	defer f.Close()

	if i == 0 && file.First > 0 {
		if err := v.resume(f, file); err != nil || v.Bad != nil {
			return err
		}
	}
	if file.First != v.chain.Seq {
		v.Bad = &Fault{File: file.Path, Line: 1, Seq: v.chain.Seq,
			Why: fmt.Sprintf("the segment begins with seq %d, want %d: a segment is missing or was cut", file.First, v.chain.Seq)}
		return nil
	}

	off, n, err := readLinesParallel(f, func(p *parsedLine, n int, end int64) bool {
		v.verifyLine(file, n, end, p)
		return v.Bad == nil
	})
	if err != nil || v.Bad != nil {
		return err
	}
	if err := v.verifyRest(file, i == len(v.files)-1, f, off, n); err != nil || v.Bad != nil {
		return err
	}

	return v.compareCopies(file)
}

// resume makes the verification begin at the first line of f, which is not the
// first of the log. The line is a checkpoint, and one of the given keys must have
// signed it.
func (v *verification) resume(f *os.File, file segment.File) error {
	line, err := segment.NewReader(io.NewSectionReader(f, 0, 1<<62)).Next()
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return err
	}
	if err == nil {
		err = v.chain.ResumeWithAny(v.keys, line)
	}
	if err == nil && v.chain.Seq != file.First {
		err = fmt.Errorf("its name says seq %d, its first line %d", file.First, v.chain.Seq)
	}
	if err != nil {
		v.Bad = &Fault{File: file.Path, Line: 1, Seq: file.First,
			Why: fmt.Sprintf("the records before this segment are not in the folder, and the segment cannot be verified without them: %v", err)}
		return nil
	}

	v.Start = file.First
	for _, t := range v.tiles {
		t.startAt(v.chain.Seq, &v.chain.Tree)
	}

	return nil
}

// compareCopies compares a segment with the same segment in further directories.
// They may differ in the zeros at their ends.
func (v *verification) compareCopies(file segment.File) error {
	for _, path := range file.Copies {
		line, err := segment.Differ(file.Path, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // one of the two was moved away since the directories were read
		}
		if err != nil {
			return err
		}
		if line > 0 {
			v.Bad = &Fault{File: path, Line: line, Seq: file.First + uint64(line) - 1,
				Why: "this copy of the segment differs from " + file.Path}
			return nil
		}
	}

	return nil
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
			return v.checkEnd(f, file, last, in)
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

// checkEnd checks that zeros follow the lines of the last segment alone: the writer
// cuts them off before it begins another.
func (v *verification) checkEnd(f *os.File, file segment.File, last bool, in *segment.Reader) error {
	if last {
		return nil
	}

	info, err := f.Stat()
	if err == nil && info.Size() > in.Offset {
		v.Bad = &Fault{file.Path, in.Lines + 1, v.chain.Seq, fmt.Sprintf("%d bytes follow the last line", info.Size()-in.Offset)}
	}

	return err
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
	seq := v.chain.Seq
	err := v.chain.check(p)
	if err == nil {
		err = v.checkKind(p)
	}
	if err == nil {
		err = checkSegmentStart(n == 1 && file.First > 0, p)
	}
	if err != nil {
		v.Bad = &Fault{file.Path, n, seq, err.Error()}
		return
	}

	if n == 1 && file.First > 0 {
		v.roots[p.seq] = v.chain.LastCheckpoint.Root
	}
	v.compareWithKept(file.Path, n, p)
	for _, t := range v.tiles {
		t.add(p.leaf)
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

// checkKind checks what records of the log itself say of other places in it.
func (v *verification) checkKind(p *parsedLine) error {
	switch string(p.kind) {
	case KindCosigned:
		return v.checkCosigned(p)
	case KindRollback:
		return v.addBreak(p)
	case KindArchived:
		return v.checkArchived(p)
	}

	return nil
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

// notAnnounced returns the given keys that the log has neither begun with nor
// announced.
func (v *verification) notAnnounced() (keys []string) {
	used := append([]PublicKey{v.chain.Key, v.keys[0]}, v.chain.LaterKeys...)
	for _, k := range v.keys {
		isUsed := slices.ContainsFunc(used, func(u PublicKey) bool { return u.Key.Equal(k.Key) })
		if !isUsed {
			keys = append(keys, k.String())
		}
	}

	return keys
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
	r.NotAnnounced = v.notAnnounced()
	for i := range r.Accepted {
		r.Accepted[i].Pending = !v.isSealed(r.Accepted[i].Seq)
	}
	if r.StartMoved != nil {
		r.StartMoved.Pending = !v.isSealed(r.StartMoved.Seq)
	}
	r.Open, r.OpenMore = v.intents.list()
	if v.Records > 0 {
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
