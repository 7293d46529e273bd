package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// Tiler writes the tree of a log as tiles. It reads the segments, so it never
// delays the writer of the log, and it can begin at any line, also after a crash
// or for a log that has no tiles yet. A Tiler must not be used concurrently, and
// not at all after one of its methods has failed.
type Tiler struct {
	// PutCheckpoint publishes a checkpoint once its tiles are complete. OpenTiler
	// sets it to write CheckpointFile.
	PutCheckpoint func(signed string, c Checkpoint) error

	log         Folders // directories of the segments
	tiles       Tiles
	withEntries bool // write entry bundles too

	frontier merkle.TileFrontier
	entries  []byte // the entry bundle that is not full yet

	segment uint64 // first number of the segment to read from
	off     int64  // offset of the next line in it

	unpublished unpublishedCheckpoint
	published   uint64 // lines that the published checkpoint covers

	// stalePartials are directories of partial tiles next to full tiles, to be
	// removed after the next checkpoint.
	stalePartials []string

	linePrefix []byte // scratch
}

// unpublishedCheckpoint is the newest checkpoint that the tiler has passed and
// not published, with the state that it signs.
type unpublishedCheckpoint struct {
	note     string // empty if there is none
	frontier merkle.TileFrontier
	entries  []byte
}

// Position is a place between two lines of a log.
type Position struct {
	Segment uint64 // first number of the segment
	Offset  int64  // in the segment
	Seq     uint64 // number of the line after it
}

// OpenTiler is [Folders.OpenTiler] for a log in one directory.
func OpenTiler(logDir, out string, withEntries bool) (*Tiler, error) {
	return Folders{logDir}.OpenTiler(out, withEntries)
}

// OpenTiler returns a tiler that continues the tiles in the directory out, and
// writes entry bundles if withEntries is set. If what is there does not match
// its own checkpoint or the log, the tiler begins at the last segment whose first
// checkpoint the tiles match, or else at the first line.
func (f Folders) OpenTiler(out string, withEntries bool) (*Tiler, error) {
	t := &Tiler{log: f, tiles: tilesIn(out), withEntries: withEntries}
	t.PutCheckpoint = func(signed string, _ Checkpoint) error {
		return t.tiles.WriteFile(CheckpointFile, []byte(signed))
	}

	_, c, err := t.tiles.Checkpoint()
	var pathErr *os.PathError
	if errors.As(err, &pathErr) && !errors.Is(err, os.ErrNotExist) {
		return t, err
	}
	if err == nil && t.loadTiles(c) {
		found, err := t.seek(c)
		if found || err != nil {
			return t, err
		}
	}

	return t, t.continueFromSegment()
}

// loadTiles loads the right edge of the tiles that c covers. It reports whether
// the tiles are complete and match c.
func (t *Tiler) loadTiles(c Checkpoint) bool {
	root, err := merkle.ParseBase64(c.Root)
	if err != nil {
		return false
	}
	frontier, err := t.tiles.Frontier(c.Size)
	if err != nil || frontier.Tree().Root() != root {
		return false
	}

	var entries []byte
	width := int(c.Size % merkle.TileWidth)
	if t.withEntries && width > 0 {
		path := t.tiles.Path(merkle.EntryLevel, c.Size/merkle.TileWidth, width)
		entries, err = os.ReadFile(path)
		if err != nil {
			return false
		}
	}

	t.frontier = frontier
	t.entries = entries

	return true
}

// seek sets the place to read from to the record of the checkpoint c. It returns
// false if the log does not have that record: the tiles belong to another log, or
// to a state that was rolled back.
func (t *Tiler) seek(c Checkpoint) (found bool, err error) {
	files, err := t.log.segments()
	if err != nil {
		return false, err
	}
	i := segment.IndexOf(files, c.Size)
	if i < 0 {
		return false, nil
	}

	f, err := files[i].Open()
	if err != nil {
		return false, err
	}
	defer f.Close()

	in := segment.NewLiveReader(f)
	for n := files[i].First; n < c.Size; n++ {
		if _, err := in.Next(); err != nil {
			return false, nil
		}
	}
	off := in.Offset
	line, err := in.Next()
	if err != nil || !carriesCheckpoint(line[1:], c) {
		return false, nil
	}

	t.segment = files[i].First
	t.off = off

	return true, nil
}

// carriesCheckpoint reports whether a line is the record that carries c.
func carriesCheckpoint(line []byte, c Checkpoint) bool {
	r, err := ParseRecord(line)
	if err != nil || r.Kind != KindCheckpoint {
		return false
	}
	carried, err := parseUnverified(r.Checkpoint)

	return err == nil && carried == c
}

// continueFromSegment makes the tiler begin at the last segment whose first
// checkpoint the tiles match, or at the first line. It removes the tiles to the
// right of that place: after a rollback they hold hashes that the log no longer
// has.
func (t *Tiler) continueFromSegment() error {
	t.frontier = merkle.TileFrontier{}
	t.entries = nil
	t.segment = 0
	t.off = 0

	files, err := t.log.segments()
	if err != nil {
		return err
	}
	for _, f := range slices.Backward(files) {
		_, c, err := readFirstCheckpoint(f)
		if err != nil {
			return err
		}
		if c.Size == f.First && f.First > 0 && t.loadTiles(c) {
			t.segment = f.First
			break
		}
	}
	if len(files) > 0 && files[0].First > t.segment {
		return t.log.startError(files[0].First)
	}

	return t.removeTilesAfterFrontier()
}

// removeTilesAfterFrontier removes tiles of lines that the frontier does not
// have. It first writes those at its edge, which may exist only as part of wider
// ones: a crash must not leave less than the next tiler needs to begin here.
func (t *Tiler) removeTilesAfterFrontier() error {
	for level, hashes := range t.frontier.Levels {
		n := t.frontier.Size >> (merkle.TileHeight * level) / merkle.TileWidth
		if len(hashes) > 0 {
			err := t.tiles.WriteTile(level, n, len(hashes), merkle.ConcatHashes(hashes))
			if err != nil {
				return err
			}
		}
		if err := t.tiles.RemoveTilesFrom(level, n, len(hashes)); err != nil {
			return err
		}
	}
	if !t.withEntries {
		return nil
	}

	return t.tiles.RemoveTilesFrom(merkle.EntryLevel, t.frontier.Size/merkle.TileWidth, int(t.frontier.Size%merkle.TileWidth))
}

// Size returns the number of lines that the tiler has added to the tree.
func (t *Tiler) Size() uint64 { return t.frontier.Size }

// Published returns the number of lines that the last checkpoint covers that
// this tiler published, or 0 if it has published none.
func (t *Tiler) Published() uint64 { return t.published }

// AddLeaves adds the leaf hashes of the next lines. If the line with number
// checkpointSeq is among them, note is its signed checkpoint, else note is
// empty. The tiler must not write entry bundles. The caller calls PublishUpTo
// when it has added lines up to a position.
func (t *Tiler) AddLeaves(leaves []merkle.Hash, checkpointSeq uint64, note string) error {
	for i := range leaves {
		if note != "" && t.frontier.Size == checkpointSeq {
			t.unpublished.note = note
			t.unpublished.frontier = t.frontier.Clone()
		}
		if err := t.frontier.Add(leaves[i], t.writeFullTile); err != nil {
			return err
		}
	}

	return nil
}

// PublishUpTo publishes the newest checkpoint among the lines that AddLeaves got,
// which end at upto. Advance reads on from there.
func (t *Tiler) PublishUpTo(upto Position) error {
	t.segment = upto.Segment
	t.off = upto.Offset

	return t.publish()
}

// Advance reads every whole line up to upto, or to the end of the log if upto is
// nil, adds it to the tree and publishes the newest checkpoint among them. If
// upto is nil, nobody may be writing the log.
//
// If progress is not nil it is called with the bytes of the log that were read
// and the total. Its error ends Advance.
func (t *Tiler) Advance(upto *Position, progress func(done, total int64) error) error {
	files, err := t.log.segments()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no log: %w", t.log, os.ErrNotExist)
	}
	if files[0].First > t.segment {
		return t.log.startError(files[0].First)
	}
	if progress == nil {
		progress = func(int64, int64) error { return nil }
	}

	total := segment.TotalSize(files)
	done := int64(0)
	for _, f := range files {
		before := f.First < t.segment
		after := upto != nil && f.First > upto.Segment
		if before || after {
			done += f.Size
			continue
		}

		if f.First != t.segment { // the segment before it was read to its end
			if f.First != t.frontier.Size {
				return fmt.Errorf("%s: begins with seq %d, want %d: a segment is missing or was cut", f.Path, f.First, t.frontier.Size)
			}
			t.segment = f.First
			t.off = 0
		}

		end := int64(1 << 62)
		if upto != nil && f.First == upto.Segment {
			end = upto.Offset
		}
		err := t.readSegment(f, end, func(off int64) error {
			return progress(min(done+off, total), total)
		})
		if err != nil {
			return err
		}
		done += f.Size
	}

	return t.publish()
}

// readSegment adds the lines of a segment from t.off to end.
func (t *Tiler) readSegment(s segment.File, end int64, progress func(off int64) error) error {
	f, err := s.Open()
	if err != nil {
		return err
	}
	defer f.Close()

	start := t.off
	in := segment.NewLiveReader(io.NewSectionReader(f, start, max(0, end-start)))
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = t.addLine(line)
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", s.Path, in.Lines, err)
		}

		t.off = start + in.Offset
		if in.Lines%4096 == 0 {
			if err := progress(t.off); err != nil {
				return err
			}
		}
	}
}

// checkpointKind is in every checkpoint record and in no other line, because in
// a string its quotes would be escaped.
var checkpointKind = []byte(`,"kind":"checkpoint",`)

// addLine adds a line, which has 0x00 in front of it. It does not verify the
// line: the root of every tree that is published was signed.
func (t *Tiler) addLine(prefixed []byte) error {
	line := prefixed[1:]
	seq := t.frontier.Size

	t.linePrefix = append(t.linePrefix[:0], `{"v":1,"seq":`...)
	t.linePrefix = strconv.AppendUint(t.linePrefix, seq, 10)
	t.linePrefix = append(t.linePrefix, ',')
	if !bytes.HasPrefix(line, t.linePrefix) {
		return fmt.Errorf("not the record with seq %d", seq)
	}

	// A checkpoint covers the lines before it, so keep the state before the line
	// is added.
	if bytes.Contains(line, checkpointKind) {
		r, err := ParseRecord(line)
		if err != nil {
			return err
		}
		t.unpublished.note = r.Checkpoint
		t.unpublished.frontier = t.frontier.Clone()
		t.unpublished.entries = append(t.unpublished.entries[:0], t.entries...)
	}

	if t.withEntries {
		if err := t.addEntry(seq, line); err != nil {
			return err
		}
	}

	return t.frontier.Add(merkle.LeafHash(prefixed), t.writeFullTile)
}

// addEntry adds a line to the entry bundles (C2SP tlog-tiles): its length in 16
// bits, then the line.
func (t *Tiler) addEntry(seq uint64, line []byte) error {
	t.entries = binary.BigEndian.AppendUint16(t.entries, uint16(len(line)))
	t.entries = append(t.entries, line...)
	if seq%merkle.TileWidth != merkle.TileWidth-1 {
		return nil
	}

	err := t.tiles.WriteTile(merkle.EntryLevel, seq/merkle.TileWidth, merkle.TileWidth, t.entries)
	t.entries = t.entries[:0]

	return err
}

// writeFullTile writes a tile that the frontier has filled.
func (t *Tiler) writeFullTile(level int, n uint64, hashes []merkle.Hash) error {
	return t.tiles.WriteTile(level, n, merkle.TileWidth, merkle.ConcatHashes(hashes))
}

// publish writes the partial tiles of the newest checkpoint and then the
// checkpoint, so that whoever reads the checkpoint finds every tile that it
// needs. It does nothing if there is no checkpoint to publish.
func (t *Tiler) publish() error {
	u := &t.unpublished
	if u.note == "" {
		return nil
	}

	stale := t.stalePartials
	t.stalePartials = nil
	for level, hashes := range u.frontier.Levels {
		n := u.frontier.Size >> (merkle.TileHeight * level) / merkle.TileWidth
		err := t.writePartialTile(level, n, len(hashes), merkle.ConcatHashes(hashes))
		if err != nil {
			return err
		}
	}
	if t.withEntries {
		n := u.frontier.Size / merkle.TileWidth
		width := int(u.frontier.Size % merkle.TileWidth)
		err := t.writePartialTile(merkle.EntryLevel, n, width, u.entries)
		if err != nil {
			return err
		}
	}

	c, err := parseUnverified(u.note)
	if err != nil {
		return err
	}
	if err := t.PutCheckpoint(u.note, c); err != nil {
		return err
	}

	u.note = ""
	t.published = u.frontier.Size
	for _, dir := range stale {
		err = errors.Join(err, os.RemoveAll(dir))
	}

	return err
}

// writePartialTile writes a partial tile, unless its width is 0. If the full
// tile exists, which normally removes the partial ones, they are removed after
// the next checkpoint: readers of the current one may look for this tile.
func (t *Tiler) writePartialTile(level int, n uint64, width int, b []byte) error {
	if width == 0 {
		return nil
	}

	if t.tiles.HasFullTile(level, n) {
		t.stalePartials = append(t.stalePartials, t.tiles.PartialTiles(level, n))
	}

	return t.tiles.WriteTile(level, n, width, b)
}
