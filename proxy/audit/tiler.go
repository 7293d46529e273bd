package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// tiler writes the tree of a log as tiles, behind its segments: it reads them,
// so it never holds up who appends, and can begin anywhere, also after a crash
// and for a log that has no tiles yet. One goroutine uses it.
type tiler struct {
	log     string // folder of the segments
	files   tileFiles
	entries bool // write entry bundles too

	edge    edge
	bundle  []byte // entries of the unfinished tile
	begins  []byte // how the next line must begin
	segment uint64 // first seq of the segment to read from, and where in it
	off     int64
	note    string // newest checkpoint that was met and not yet published, and the edge that it signs
	at      edge
	held    []byte // bundle at that edge

	stray     []string                                // folders of partial tiles beside full ones
	put       func(signed string, c Checkpoint) error // puts the checkpoint in place
	published uint64                                  // lines that the published checkpoint covers
}

// openTiler goes on where the folder out stands. What is there and does not fit
// its own checkpoint is made again from the beginning.
func openTiler(log, out string, entries bool) (*tiler, error) {
	t := &tiler{log: log, files: tileFiles{out}, entries: entries}
	t.put = func(signed string, _ Checkpoint) error {
		return replaceFile(filepath.Join(out, checkpointFile), []byte(signed))
	}
	_, c, err := t.files.checkpoint()
	if err != nil {
		return t, ignoreMissing(err)
	}
	root, err := parseHash(c.Root)
	if err != nil {
		return t, nil
	}
	e, err := t.files.edge(c.Size)
	if err != nil || e.tree().root() != root {
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

func (t *tiler) loadBundle(size uint64) ([]byte, error) {
	if size%tileWidth == 0 {
		return nil, nil
	}
	return os.ReadFile(t.files.path(-1, size/tileWidth, int(size%tileWidth)))
}

// position finds the line with that seq.
func (t *tiler) position(seq uint64) error {
	segs, err := segments(t.log)
	if err != nil {
		return err
	}
	i := segmentOf(segs, seq)
	if i < 0 {
		t.edge, t.bundle = edge{}, nil
		return nil
	}
	t.segment = segs[i].first
	f, err := os.Open(segs[i].path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := wholeLines(f)
	for n := segs[i].first; n < seq; n++ {
		if _, err := in.next(); err != nil { // the log is shorter than its tiles: it was put back or is another one
			t.edge, t.bundle, t.segment = edge{}, nil, 0
			return nil
		}
	}
	t.off = in.off
	return nil
}

// segmentOf is the segment that holds the line with that seq; -1: none.
func segmentOf(segs []segment, seq uint64) int {
	i := len(segs) - 1
	for i >= 0 && segs[i].first > seq {
		i--
	}
	return i
}

// mark is a place in the segments, between two lines.
type mark struct {
	segment uint64
	off     int64
	seq     uint64 // of the line behind it
}

// follow is advance with the hashes that the log's committer has made; what it
// has no longer is read.
func (t *tiler) follow(f *fresh, upto mark, progress func(done, total int64) error) error {
	all, err := f.take(t.edge.size, upto.seq, t.takeLeaves)
	if err != nil {
		return err
	}
	if !all {
		return t.advance(&upto, progress)
	}
	t.segment, t.off = upto.segment, upto.off
	return t.publish()
}

// takeLeaves is take for many lines, without their text.
func (t *tiler) takeLeaves(leaves []hash, sealed uint64, note string) error {
	for i := range leaves {
		if note != "" && t.edge.size == sealed {
			t.note, t.at = note, t.edge.clone()
		}
		if err := t.edge.add(leaves[i], t.full); err != nil {
			return err
		}
	}
	return nil
}

func (t *tiler) full(level int, n uint64, hashes []hash) error {
	return t.files.write(level, n, tileWidth, flat(hashes))
}

// advance takes every whole line up to the mark (nil: to the end of the log,
// which nobody must be writing) and publishes the newest checkpoint among them.
// An error of progress ends it. After an error t must not be used.
func (t *tiler) advance(upto *mark, progress func(done, total int64) error) error {
	segs, err := segments(t.log)
	if err != nil {
		return err
	}
	if len(segs) == 0 || segs[0].first > t.segment {
		return fmt.Errorf("%s: the segment that begins with seq %d is missing", t.log, t.segment)
	}
	total, done := int64(0), int64(0)
	for _, s := range segs {
		total += s.size
	}
	for _, s := range segs {
		if s.first < t.segment || upto != nil && s.first > upto.segment {
			done += s.size
			continue
		}
		if s.first != t.segment { // the one before was read to its end
			if s.first != t.edge.size {
				return fmt.Errorf("%s: begins with seq %d, want %d: a segment is missing or was cut", s.path, s.first, t.edge.size)
			}
			t.segment, t.off = s.first, 0
		}
		end := int64(1 << 62)
		if upto != nil && s.first == upto.segment {
			end = upto.off
		}
		if err := t.read(s.path, end, func(off int64) error {
			if progress == nil {
				return nil
			}
			return progress(min(done+off, total), total)
		}); err != nil {
			return err
		}
		done += s.size
	}
	return t.publish()
}

func (t *tiler) read(path string, end int64, progress func(off int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in, began := wholeLines(io.NewSectionReader(f, t.off, max(0, end-t.off))), t.off
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = t.take(line)
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", path, in.n, err)
		}
		if t.off = began + in.off; in.n%4096 == 0 {
			if err := progress(t.off); err != nil {
				return err
			}
		}
	}
}

var aCheckpoint = []byte(`,"kind":"checkpoint",`) // no string of a line holds it: its quotes would be escaped

// take adds one line, with a 0x00 in front of it. It does not look at more than
// it needs: what is published has a root that was signed.
func (t *tiler) take(prefixed []byte) error {
	line, seq := prefixed[1:], t.edge.size
	t.begins = append(strconv.AppendUint(append(t.begins[:0], `{"v":1,"seq":`...), seq, 10), ',')
	if !bytes.HasPrefix(line, t.begins) {
		return fmt.Errorf("not the record with seq %d", seq)
	}
	if bytes.Contains(line, aCheckpoint) {
		r, err := ParseRecord(line)
		if err != nil {
			return err
		}
		t.note, t.at, t.held = r.Checkpoint, t.edge.clone(), append(t.held[:0], t.bundle...)
	}
	if t.entries {
		t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(line)))
		t.bundle = append(t.bundle, line...)
		if seq%tileWidth == tileWidth-1 {
			if err := t.files.write(-1, seq/tileWidth, tileWidth, t.bundle); err != nil {
				return err
			}
			t.bundle = t.bundle[:0]
		}
	}
	return t.edge.add(leafHash(prefixed), t.full)
}

func flat(hashes []hash) []byte {
	b := make([]byte, 0, len(hashes)*len(hash{}))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// publish writes the partial tiles of the newest checkpoint, then the
// checkpoint: who reads it finds every tile that it needs.
func (t *tiler) publish() error {
	if t.note == "" {
		return nil
	}
	old := t.stray
	t.stray = nil
	for l, hashes := range t.at.level {
		if err := t.partial(l, t.at.size>>(tileHeight*l)/tileWidth, len(hashes), flat(hashes)); err != nil {
			return err
		}
	}
	if t.entries {
		if err := t.partial(-1, t.at.size/tileWidth, int(t.at.size%tileWidth), t.held); err != nil {
			return err
		}
	}
	c, err := unverified(t.note)
	if err == nil {
		err = t.put(t.note, c)
	}
	if err != nil {
		return err
	}
	for _, dir := range old {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	t.note, t.published = "", t.at.size
	return err
}

// partial writes a partial tile. One whose full tile was written meanwhile,
// which would have removed it, goes with the next checkpoint.
func (t *tiler) partial(level int, n uint64, width int, b []byte) error {
	if width == 0 {
		return nil
	}
	full := t.files.path(level, n, tileWidth)
	if _, err := os.Stat(full); err == nil {
		t.stray = append(t.stray, full+".p")
	}
	return t.files.write(level, n, width, b)
}
