package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// Tiler writes the tree of a log as tiles, behind its segments: it reads them,
// so it never holds up who appends, and can begin anywhere, also after a crash
// and for a log that has no tiles yet. One goroutine uses it.
type Tiler struct {
	log     string // folder of the segments
	files   Tiles
	entries bool // write entry bundles too

	edge    merkle.TileFrontier
	bundle  []byte // entries of the unfinished tile
	begins  []byte // how the next line must begin
	segment uint64 // first seq of the segment to read from, and where in it
	off     int64
	note    string // newest checkpoint that was met and not yet published, and the edge that it signs
	at      merkle.TileFrontier
	held    []byte // bundle at that edge

	stray         []string                                // folders of partial tiles beside full ones
	PutCheckpoint func(signed string, c Checkpoint) error // puts the checkpoint in place
	published     uint64                                  // lines that the published checkpoint covers
}

// OpenTiler goes on where the folder out stands. What is there and does not fit
// its own checkpoint is made again from the beginning.
func OpenTiler(log, out string, entries bool) (*Tiler, error) {
	t := &Tiler{log: log, files: tilesAt(out), entries: entries}
	t.PutCheckpoint = func(signed string, _ Checkpoint) error {
		return t.files.WriteFile(CheckpointFile, []byte(signed))
	}
	_, c, err := t.files.Checkpoint()
	if err != nil {
		return t, ignoreMissing(err)
	}
	root, err := merkle.ParseBase64(c.Root)
	if err != nil {
		return t, nil
	}
	e, err := t.files.Frontier(c.Size)
	if err != nil || e.Tree().Root() != root {
		return t, nil
	}
	if entries {
		if t.bundle, err = t.loadBundle(c.Size); err != nil {
			return t, nil
		}
	}
	t.edge = e
	return t, t.position(c.Size)
}

func ignoreMissing(err error) error {
	var path *os.PathError
	if errors.As(err, &path) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil // none yet, or none that can be used
}

func (t *Tiler) loadBundle(size uint64) ([]byte, error) {
	if size%merkle.TileWidth == 0 {
		return nil, nil
	}
	return os.ReadFile(t.files.Path(-1, size/merkle.TileWidth, int(size%merkle.TileWidth)))
}

// position finds the line with that seq.
func (t *Tiler) position(seq uint64) error {
	segs, err := segment.List(t.log)
	if err != nil {
		return err
	}
	i := segment.IndexOf(segs, seq)
	if i < 0 {
		t.edge, t.bundle = merkle.TileFrontier{}, nil
		return nil
	}
	t.segment = segs[i].First
	f, err := os.Open(segs[i].Path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := segment.NewLiveReader(f)
	for n := segs[i].First; n < seq; n++ {
		if _, err := in.Next(); err != nil { // the log is shorter than its tiles: it was put back or is another one
			t.edge, t.bundle, t.segment = merkle.TileFrontier{}, nil, 0
			return nil
		}
	}
	t.off = in.Offset
	return nil
}

// Position is a place in the segments, between two lines.
type Position struct {
	Segment uint64 // first seq of the segment
	Offset  int64
	Seq     uint64 // of the line behind it
}

// PublishUpTo is for lines that came by AddLeaves: they end at upto. It publishes
// the newest checkpoint among them.
func (t *Tiler) PublishUpTo(upto Position) error {
	t.segment, t.off = upto.Segment, upto.Offset
	return t.publish()
}

// Size is how many lines the tiler has taken.
func (t *Tiler) Size() uint64 { return t.edge.Size }

// Published is how many lines the checkpoint covers that was published last.
func (t *Tiler) Published() uint64 { return t.published }

// AddLeaves is take for many lines, without their text.
func (t *Tiler) AddLeaves(leaves []merkle.Hash, sealed uint64, note string) error {
	for i := range leaves {
		if note != "" && t.edge.Size == sealed {
			t.note, t.at = note, t.edge.Clone()
		}
		if err := t.edge.Add(leaves[i], t.full); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tiler) full(level int, n uint64, hashes []merkle.Hash) error {
	return t.files.WriteTile(level, n, merkle.TileWidth, merkle.ConcatHashes(hashes))
}

// Advance takes every whole line up to upto (nil: to the end of the log,
// which nobody must be writing) and publishes the newest checkpoint among them.
// An error of progress ends it. After an error t must not be used.
func (t *Tiler) Advance(upto *Position, progress func(done, total int64) error) error {
	segs, err := segment.List(t.log)
	if err != nil {
		return err
	}
	if len(segs) == 0 || segs[0].First > t.segment {
		return fmt.Errorf("%s: the segment that begins with seq %d is missing", t.log, t.segment)
	}
	total, done := int64(0), int64(0)
	for _, s := range segs {
		total += s.Size
	}
	for _, s := range segs {
		if s.First < t.segment || upto != nil && s.First > upto.Segment {
			done += s.Size
			continue
		}
		if s.First != t.segment { // the one before was read to its end
			if s.First != t.edge.Size {
				return fmt.Errorf("%s: begins with seq %d, want %d: a segment is missing or was cut", s.Path, s.First, t.edge.Size)
			}
			t.segment, t.off = s.First, 0
		}
		end := int64(1 << 62)
		if upto != nil && s.First == upto.Segment {
			end = upto.Offset
		}
		if err := t.read(s.Path, end, func(off int64) error {
			if progress == nil {
				return nil
			}
			return progress(min(done+off, total), total)
		}); err != nil {
			return err
		}
		done += s.Size
	}
	return t.publish()
}

func (t *Tiler) read(path string, end int64, progress func(off int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in, began := segment.NewLiveReader(io.NewSectionReader(f, t.off, max(0, end-t.off))), t.off
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = t.take(line)
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", path, in.Lines, err)
		}
		if t.off = began + in.Offset; in.Lines%4096 == 0 {
			if err := progress(t.off); err != nil {
				return err
			}
		}
	}
}

var aCheckpoint = []byte(`,"kind":"checkpoint",`) // no string of a line holds it: its quotes would be escaped

// take adds one line, with a 0x00 in front of it. It does not look at more than
// it needs: what is published has a root that was signed.
func (t *Tiler) take(prefixed []byte) error {
	line, seq := prefixed[1:], t.edge.Size
	t.begins = append(strconv.AppendUint(append(t.begins[:0], `{"v":1,"seq":`...), seq, 10), ',')
	if !bytes.HasPrefix(line, t.begins) {
		return fmt.Errorf("not the record with seq %d", seq)
	}
	if bytes.Contains(line, aCheckpoint) {
		r, err := ParseRecord(line)
		if err != nil {
			return err
		}
		t.note, t.at, t.held = r.Checkpoint, t.edge.Clone(), append(t.held[:0], t.bundle...)
	}
	if t.entries {
		t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(line)))
		t.bundle = append(t.bundle, line...)
		if seq%merkle.TileWidth == merkle.TileWidth-1 {
			if err := t.files.WriteTile(-1, seq/merkle.TileWidth, merkle.TileWidth, t.bundle); err != nil {
				return err
			}
			t.bundle = t.bundle[:0]
		}
	}
	return t.edge.Add(merkle.LeafHash(prefixed), t.full)
}

// publish writes the partial tiles of the newest checkpoint, then the
// checkpoint: who reads it finds every tile that it needs.
func (t *Tiler) publish() error {
	if t.note == "" {
		return nil
	}
	old := t.stray
	t.stray = nil
	for l, hashes := range t.at.Levels {
		if err := t.partial(l, t.at.Size>>(merkle.TileHeight*l)/merkle.TileWidth, len(hashes), merkle.ConcatHashes(hashes)); err != nil {
			return err
		}
	}
	if t.entries {
		if err := t.partial(-1, t.at.Size/merkle.TileWidth, int(t.at.Size%merkle.TileWidth), t.held); err != nil {
			return err
		}
	}
	c, err := unverified(t.note)
	if err == nil {
		err = t.PutCheckpoint(t.note, c)
	}
	if err != nil {
		return err
	}
	for _, dir := range old {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	t.note, t.published = "", t.at.Size
	return err
}

// partial writes a partial tile. One whose full tile was written meanwhile,
// which would have removed it, goes with the next checkpoint.
func (t *Tiler) partial(level int, n uint64, width int, b []byte) error {
	if width == 0 {
		return nil
	}
	full := t.files.Path(level, n, merkle.TileWidth)
	if _, err := os.Stat(full); err == nil {
		t.stray = append(t.stray, full+".p")
	}
	return t.files.WriteTile(level, n, width, b)
}
