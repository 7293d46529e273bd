package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keptCheckpoint is a checkpoint that the log is compared with: one that the
// caller kept, or one that the log published next to its segments.
type keptCheckpoint struct {
	signed     string
	path       string // file next to the log; empty if the caller gave the checkpoint
	checkpoint Checkpoint
	unreadable error // why the file does not hold a checkpoint; nil if it does

	compared bool   // the verification has passed the record with this number
	differs  *Fault // what stands there instead; nil if the record carries this checkpoint
}

// fromCaller reports whether the checkpoint was given in VerifyOptions.
func (k *keptCheckpoint) fromCaller() bool { return k.path == "" }

// describe names the checkpoint in a Fault.
func (k *keptCheckpoint) describe() string {
	if k.fromCaller() {
		return "the kept checkpoint"
	}
	name := filepath.Base(k.path)
	if strings.Contains(name, aheadMark) || strings.Contains(name, acceptedMark) {
		return fmt.Sprintf("the checkpoint that was published before a rollback (%s)", name)
	}

	return "the published checkpoint"
}

// readKept collects the caller's checkpoints and the published ones. It runs
// before the segments are read, so that what the published ones cover was
// durable by then.
func (v *verification) readKept() error {
	for _, signed := range v.options.Kept {
		c, err := parseUnverified(signed)
		if err != nil {
			return fmt.Errorf("kept %w", err)
		}
		v.kept = append(v.kept, &keptCheckpoint{signed: signed, checkpoint: c})
	}

	for _, dir := range v.log {
		notes, err := TilesOf(dir).readNotes()
		if err != nil {
			return err
		}
		v.kept = append(v.kept, notes...)
	}

	v.readCosignatures()

	return nil
}

// readNotes reads every checkpoint in the directory, also those that a rollback
// left. It leaves out files that hold nothing: a crash can empty a file there,
// because none is synced.
func (t Tiles) readNotes() (notes []*keptCheckpoint, err error) {
	for range 10 {
		notes, err = t.readNotesOnce()
		if !errors.Is(err, fs.ErrNotExist) {
			break // else the writer has renamed one meanwhile
		}
	}

	return notes, err
}

func (t Tiles) readNotesOnce() (notes []*keptCheckpoint, err error) {
	names, err := filepath.Glob(filepath.Join(t.Dir, CheckpointFile+"*"))
	if err != nil {
		return nil, err
	}

	slices.Sort(names)
	for _, path := range names {
		name := filepath.Base(path)
		isKept := strings.Contains(name, aheadMark) || strings.Contains(name, acceptedMark)
		if name != CheckpointFile && name != WitnessedFile && !isKept {
			continue
		}

		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if len(bytes.Trim(b, "\x00")) == 0 {
			continue
		}
		k := &keptCheckpoint{signed: string(b), path: path}
		k.checkpoint, k.unreadable = parseUnverified(k.signed)
		notes = append(notes, k)
	}

	return notes, nil
}

// readCosignatures collects the signatures of the given witnesses on the newest
// checkpoint that a quorum signed, or on the published one.
func (v *verification) readCosignatures() {
	signed, c, err := v.log.tiles().WitnessedCheckpoint()
	if err != nil {
		return // nothing is published, which is allowed
	}

	v.Published = c.Size
	for _, w := range v.options.Witnesses {
		if cosignature, err := w.Verify(signed); err == nil {
			v.Cosigned = append(v.Cosigned, cosignature)
		}
	}
}

// compareWithKept compares a line with the kept checkpoints of its place. The
// line must be the record that carried them. checkKept judges the differences,
// when all keys and rollbacks of the log are known.
func (v *verification) compareWithKept(file string, n int, p *parsedLine) {
	for _, k := range v.kept {
		if k.checkpoint.Size != p.seq || k.compared || k.unreadable != nil {
			continue
		}

		k.compared = true
		if p.isCheckpoint() && isSameTree(*v.chain.LastCheckpoint, k.checkpoint) {
			continue
		}
		k.differs = &Fault{File: file, Line: n, Seq: p.seq,
			Why: fmt.Sprintf("the first %d records are not those that %s covers", p.seq, k.describe())}
	}
}

// isSameTree reports whether two checkpoints cover the same lines.
func isSameTree(a, b Checkpoint) bool {
	return a.Origin == b.Origin && a.Size == b.Size && a.Root == b.Root && a.Head == b.Head
}

// checkKept returns the first kept checkpoint that the log contradicts, or nil. It
// runs after the last line that could be verified; end says that this is the end
// of the log.
func (v *verification) checkKept(end bool) (first *Fault, err error) {
	var unchecked error
	for _, k := range v.kept {
		fault, err := v.judgeKept(k, end)
		if err != nil {
			unchecked = errors.Join(unchecked, err)
		}
		if fault != nil && (first == nil || fault.Seq < first.Seq) {
			first = fault
		}
	}

	return first, unchecked
}

// judgeKept says what a kept checkpoint shows. The error says why the caller's
// checkpoint cannot be compared with this log.
func (v *verification) judgeKept(k *keptCheckpoint, end bool) (*Fault, error) {
	switch {
	case !end && k.differs == nil:
		return nil, nil
	case k.unreadable != nil:
		return &Fault{File: k.path, Seq: v.chain.Seq, Why: "not a checkpoint of this log: " + k.unreadable.Error()}, nil
	case v.isAccepted(k.checkpoint):
		return nil, nil
	}

	if err := v.verifyByAnyKey(k.signed); err != nil {
		return v.judgeUnsigned(k, err)
	}
	switch {
	case k.checkpoint.Size < v.Start && !k.fromCaller():
		return nil, nil // what it covers is not in these folders
	case k.checkpoint.Size < v.Start:
		return nil, fmt.Errorf("the kept checkpoint covers %d records: %w", k.checkpoint.Size, v.log.startError(v.Start))
	case !k.compared:
		return &Fault{File: v.lastFile(), Seq: v.chain.Seq,
			Why: fmt.Sprintf("the log ends after %d records, %s is record %d: "+
				"the tail was cut, or the log was restored from an older copy",
				v.chain.Seq, k.describe(), k.checkpoint.Size)}, nil
	}

	return k.differs, nil
}

// judgeUnsigned returns what a checkpoint shows if no key of the log signed it. Files
// next to the log must be its own, and nobody else may use its name.
func (v *verification) judgeUnsigned(k *keptCheckpoint, cause error) (*Fault, error) {
	if k.fromCaller() && k.checkpoint.Origin != v.origin() {
		return nil, fmt.Errorf("kept checkpoint is not from this log: %w", cause)
	}

	fault := &Fault{File: k.path, Seq: min(k.checkpoint.Size, v.chain.Seq),
		Why: fmt.Sprintf("%s was signed by none of the log's keys: %v", k.describe(), cause)}
	if k.differs != nil {
		fault.File = k.differs.File
		fault.Line = k.differs.Line
	}
	if fault.File == "" {
		fault.File = v.lastFile()
	}

	return fault, nil
}

// origin returns the name under which the log signs.
func (v *verification) origin() string {
	if v.chain.LastCheckpoint != nil {
		return v.chain.LastCheckpoint.Origin
	}

	return v.keys[0].Name
}

// verifyByAnyKey returns nil if one of the keys that were given or that the log
// announced signed the note. After a cut the log may not hold the announcement of
// a key any more that the verifier knows.
func (v *verification) verifyByAnyKey(signed string) (err error) {
	for _, key := range slices.Concat(v.keys, v.chain.LaterKeys) {
		_, err = ParseCheckpoint(signed, key)
		if err == nil {
			return nil
		}
	}

	return err
}

// checkCosigned checks that the note in a cosigned record is an earlier
// checkpoint of this log.
func (v *verification) checkCosigned(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	c, err := parseUnverified(r.Checkpoint)
	if err != nil {
		return err
	}

	if c.Size >= p.seq || v.verifyByAnyKey(r.Checkpoint) != nil {
		return errors.New("cosigned: not a checkpoint of this log")
	}

	return nil
}
