package journal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

var errKeyChanged = errors.New("the log's key was changed")

// openWriter opens the writer at the end of the log in cfg.Dir, after it has
// verified the last segment and cut its torn tail. The record is what Open must
// put on record about the last writer, or nil if the log is new or was closed. On
// error openWriter leaves no file open.
//
// It may be killed anywhere and run again: it only removes what no writer has
// acknowledged.
func openWriter(cfg Config, key ed25519.PrivateKey, instance string) (*writer, *audit.Record, error) {
	w := &writer{
		cfg:       cfg,
		instance:  instance,
		origin:    audit.Origin(instance),
		publicKey: audit.PublicKey{Key: key.Public().(ed25519.PublicKey)},
	}

	// A killed writer leaves its preallocation, perhaps incomplete.
	err := cfg.disk.remove(filepath.Join(cfg.Dir, nextFileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}

	var cut int64 // torn bytes that were cut
	for {
		segments, err := segment.List(cfg.Dir)
		if err != nil {
			return nil, nil, err
		}
		if len(segments) == 0 {
			if err := errors.Join(w.setSigner(key, nil), w.startSegment(&w.state, nil)); err != nil {
				return nil, nil, errors.Join(err, w.abandon())
			}
			if cut == 0 {
				return w, nil, nil
			}
			return w, crashRecord(cut), nil
		}

		last := segments[len(segments)-1]
		chain, tornBytes, err := w.loadSegment(last)
		if err != nil {
			return nil, nil, err
		}
		cut += tornBytes
		if chain.Seq > last.First {
			if err := w.setSigner(key, chain.LastCheckpoint); err != nil {
				return nil, nil, errors.Join(err, w.abandon())
			}
			if chain.Closed && cut == 0 {
				return w, nil, nil
			}
			return w, crashRecord(cut), nil
		}

		// The last writer was killed after it had created the segment and before it
		// acknowledged a line in it, so the log ends in the segment before.
		if len(segments) == 1 && last.First != 0 {
			err := fmt.Errorf("%s is empty and the segments before it are gone: restore them, or move the folder away and keep it",
				segment.Name(last.First))
			return nil, nil, errors.Join(err, w.abandon())
		}
		if err := w.removeSegment(last.First); err != nil {
			return nil, nil, err
		}
	}
}

// crashRecord says that the last writer did not close the log, and how many torn
// bytes were cut.
func crashRecord(cut int64) *audit.Record {
	return &audit.Record{
		Kind:   audit.KindRecovery,
		Code:   audit.CodeCrash,
		Cut:    cut,
		Detail: fmt.Sprintf("the log was not closed; %d bytes of a torn tail were cut", cut),
	}
}

// removeSegment removes the open segment, which holds no line, and makes the
// removal durable.
func (w *writer) removeSegment(first uint64) error {
	err := errors.Join(w.file.Close(), w.cfg.disk.remove(w.segmentPath(first)), w.cfg.disk.syncDir(w.cfg.Dir))
	w.file = nil
	w.state = state{}

	return err
}

// setSigner makes key sign checkpoints. A log keeps the origin of its last
// checkpoint, whatever the instance is called now.
func (w *writer) setSigner(key ed25519.PrivateKey, last *audit.Checkpoint) error {
	if last != nil {
		w.origin = last.Origin
	}

	s, err := newSigner(w.origin, key)
	w.signer = s

	return err
}

// loadSegment opens the last segment, verifies its lines, and leaves the writer
// after the last whole line. It cuts zeros and a torn tail, makes the cut
// durable, and returns the number of torn bytes.
func (w *writer) loadSegment(s segment.File) (*audit.Chain, int64, error) {
	f, err := w.cfg.disk.open(s.Path)
	if err != nil {
		return nil, 0, err
	}

	chain := &audit.Chain{Key: w.publicKey}
	in := segment.NewReader(io.NewSectionReader(f, 0, 1<<62))
	tornBytes, err := checkSegment(chain, in, s.First)
	if err == nil && !chain.Key.Key.Equal(w.publicKey.Key) {
		return nil, 0, errors.Join(fmt.Errorf("%w to %s", errKeyChanged, chain.Key), f.Close())
	}
	if err != nil {
		err = fmt.Errorf("%s line %d: %w: the log was changed or the key is not its own; run byline audit verify, restore the key, or move the folder away and keep it",
			segment.Name(s.First), in.Lines, err)
		return nil, 0, errors.Join(err, f.Close())
	}

	// Whole lines after the last acknowledged one stay: they continue the chain.
	// The sync makes them durable before the writer builds on them.
	if err := errors.Join(f.Truncate(in.Offset), f.Sync()); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("cut %s: %w", segment.Name(s.First), err), f.Close())
	}

	w.useFile(f, in.Offset, false)
	w.counts = chain.Tasks
	w.state = state{
		segment:  s.First,
		off:      in.Offset,
		seq:      chain.Seq,
		head:     chain.Head,
		tree:     chain.Tree,
		lastUS:   chain.LastUS,
		unsealed: chain.Unsealed > 0,
		closed:   chain.Closed,
	}

	return chain, tornBytes, nil
}

// checkSegment checks the lines of the segment that begins with the number
// first, up to its last whole line, and returns the length of the torn tail after
// that.
func checkSegment(chain *audit.Chain, in *segment.Reader, first uint64) (tornBytes int64, err error) {
	for {
		line, err := in.Next()
		var torn *segment.TornTail
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case errors.As(err, &torn):
			return torn.Bytes, nil
		case err != nil:
			return 0, err
		}

		if in.Lines == 1 && first > 0 {
			if err := chain.Resume(line); err != nil {
				return 0, err
			}
			if chain.Seq != first {
				return 0, fmt.Errorf("begins with seq %d", chain.Seq)
			}
		}
		if err := chain.CheckLine(line); err != nil {
			return 0, err
		}
	}
}

// repair brings the log back to the last acknowledged line after a failed write
// or sync, and makes a record of it durable as the beginning of a new segment. It
// returns the state after that record. It may fail and be called again.
//
// After a failed sync nobody knows how much the disk holds: the kernel may have
// dropped the pages and call them clean, so another sync would succeed and mean
// nothing. Therefore the lines that were not acknowledged are cut and never
// synced again.
func (w *writer) repair(detail string) (*state, error) {
	w.discardNext() // the disk may be full
	if w.file != nil {
		w.file.Close() // its errors are those that are being repaired
		w.file = nil
	}

	cut, err := w.cutUnacknowledged()
	if err != nil {
		return nil, err
	}

	// The segment before is trimmed and durable. A crash from here on leaves an
	// empty or torn segment, which openWriter removes or cuts.
	st := w.state
	w.resetBuffer()
	if err := w.startSegment(&st, nil); err != nil {
		return nil, err
	}
	us := max(w.cfg.now().UnixMicro(), st.lastUS)
	w.appendOwnRecord(&st, us, &audit.Record{
		Kind:   audit.KindRecovery,
		Wall:   w.wallBefore(us),
		Code:   audit.CodeDisk,
		Cut:    cut,
		Detail: detail,
	})
	if _, err := w.writeBuffer(&st); err != nil {
		return nil, err
	}

	return &w.state, nil
}

// cutUnacknowledged checks that the acknowledged lines of the segment are
// intact, cuts what follows them and makes the cut durable. It returns the
// number of torn bytes. It reads the counts of the tasks again, because the
// failed commit has advanced them.
//
// Truncate rewrites the last block of the file, so that the block does not
// depend on a page that failed to reach the disk.
func (w *writer) cutUnacknowledged() (tornBytes int64, err error) {
	f, err := w.cfg.disk.open(w.segmentPath(w.state.segment))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	chain := &audit.Chain{Key: w.publicKey}
	acknowledged := segment.NewReader(io.NewSectionReader(f, 0, w.state.off))
	if _, err := checkSegment(chain, acknowledged, w.state.segment); err != nil {
		return 0, fmt.Errorf("acknowledged records are damaged: %w", err)
	}
	if w.state.off > 0 && (chain.Seq != w.state.seq || chain.Head != w.state.head) {
		return 0, errors.New("acknowledged records are damaged")
	}
	chain.Tasks.KeepEnded(&w.counts)
	w.counts = chain.Tasks

	rest := segment.NewReader(io.NewSectionReader(f, w.state.off, 1<<62))
	var torn *segment.TornTail
	if err := rest.ScanTail(); errors.As(err, &torn) {
		tornBytes = torn.Bytes
	}
	if err := f.Truncate(w.state.off); err != nil {
		return 0, fmt.Errorf("cut: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("cut: %w", err)
	}

	return tornBytes, nil
}
