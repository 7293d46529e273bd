package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// Folders are the directories that hold the segments of one log: that of its
// writer, and those to which old segments were moved. If several hold the same
// segment, the first one stands for it.
//
// Its methods read the log as if all segments lay in one directory. The functions
// of the same names do that for a log in one directory.
type Folders []string

// String names the directories in errors.
func (f Folders) String() string {
	text := ""
	for i, dir := range f {
		if i > 0 {
			text += " and "
		}
		text += dir
	}

	return text
}

// segments returns the segments of the log in order.
func (f Folders) segments() ([]segment.File, error) { return segment.List(f...) }

// CopySegments calls do with each segment of the log in order: its name, and a
// reader of its bytes without the zeros with which the writer has filled the open
// segment ahead of time.
func (f Folders) CopySegments(do func(name string, in io.Reader) error) error {
	files, err := f.segments()
	if err != nil {
		return err
	}

	for _, file := range files {
		if err := copySegment(file, do); err != nil {
			return err
		}
	}

	return nil
}

func copySegment(file segment.File, do func(name string, in io.Reader) error) error {
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()

	info, err := in.Stat()
	if err != nil {
		return err
	}
	size, err := segment.ContentSize(in, info.Size())
	if err != nil {
		return err
	}

	return do(segment.Name(file.First), io.NewSectionReader(in, 0, size))
}

// tiles returns the tiles next to the log: those in the first directory that has
// some.
func (f Folders) tiles() Tiles {
	for _, dir := range f {
		tiles := TilesOf(dir)
		if _, err := os.Stat(tiles.Dir); err == nil {
			return tiles
		}
	}
	if len(f) == 0 {
		return tilesIn(TilesDir)
	}

	return TilesOf(f[0])
}

// ReadAll is [Folders.ReadAll] for a log in one directory.
func ReadAll(ctx context.Context, dir string, until time.Time, progress func(done, total int64)) iter.Seq2[Record, error] {
	return Folders{dir}.ReadAll(ctx, until, progress)
}

// Tail is [Folders.Tail] for a log in one directory.
func Tail(ctx context.Context, dir string, n int, follow bool) iter.Seq2[Record, error] {
	return Folders{dir}.Tail(ctx, n, follow)
}

// Find is [Folders.Find] for a log in one directory.
func Find(dir, id string) (found []Record, err error) { return Folders{dir}.Find(id) }

// FindRelated is [Folders.FindRelated] for a log in one directory.
func FindRelated(dir, id string) (RelatedRecords, error) { return Folders{dir}.FindRelated(id) }

// Prove is [Folders.Prove] for a log in one directory.
func Prove(dir, id string, progress func(done, total int64)) (*InclusionProof, error) {
	return Folders{dir}.Prove(id, progress)
}

// ProveConsistency is [Folders.ProveConsistency] for a log in one directory.
func ProveConsistency(dir string, older, newer uint64, progress func(done, total int64)) (*ConsistencyProof, error) {
	return Folders{dir}.ProveConsistency(older, newer, progress)
}

// ProveMany is [Folders.ProveMany] for a log in one directory.
func ProveMany(dir string, records iter.Seq2[Record, error], last uint64, progress func(done, total int64),
	yield func(*Record, *InclusionProof) error) (unsealed int, err error) {

	return Folders{dir}.ProveMany(records, last, progress, yield)
}

// Export is [Folders.Export] for a log in one directory.
func Export(dir, out string, progress func(done, total int64)) (Checkpoint, error) {
	return Folders{dir}.Export(out, progress)
}

// ErrSegmentsElsewhere is in the error for what cannot be proved because the folders
// lack the beginning of the log.
var ErrSegmentsElsewhere = errors.New("earlier segments are elsewhere")

// startError says that the segments before the line with number first are not in
// the folders.
func (f Folders) startError(first uint64) error {
	return fmt.Errorf("%w: %s begins with record %d", ErrSegmentsElsewhere, f, first)
}
