package journal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

var errKeyChanged = errors.New("the log's key was changed")

// notice is what Open has to put on record about the writer before.
type notice struct{ cut int64 }

func (n *notice) record() *audit.Record {
	return &audit.Record{Kind: audit.KindRecovery, Code: audit.CodeCrash, Cut: n.cut,
		Detail: fmt.Sprintf("the log was not closed; %d bytes of a torn tail were cut", n.cut)}
}

// openWriter finds where the log ends. The notice is nil when the log is new
// or was closed.
func openWriter(cfg Config, key ed25519.PrivateKey, instance string) (*writer, *notice, error) {
	w := &writer{cfg: cfg, instance: instance, origin: audit.Origin(instance), pub: audit.PublicKey{Key: key.Public().(ed25519.PublicKey)}}
	if err := cfg.disk.remove(filepath.Join(cfg.Dir, spareName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	cut := int64(0)
	for {
		segs, err := segment.List(cfg.Dir)
		if err != nil {
			return nil, nil, err
		}
		if len(segs) == 0 {
			return w, noticeFor(cut > 0, cut), errors.Join(w.sign(key, nil), w.next(&w.st, nil))
		}
		last := segs[len(segs)-1]
		walk, bytes, err := w.load(last)
		if err != nil {
			return nil, nil, err
		}
		cut += bytes
		if walk.Seq > last.First {
			ended := walk.Closed && cut == 0
			return w, noticeFor(!ended, cut), w.sign(key, walk.LastCheckpoint)
		}
		if len(segs) == 1 && last.First != 0 {
			return nil, nil, fmt.Errorf("%s is empty and the segments before it are gone: restore them, or move the folder away and keep it", segment.Name(last.First))
		}
		if err := w.drop(last.First); err != nil {
			return nil, nil, err
		}
	}
}

func noticeFor(needed bool, cut int64) *notice {
	if !needed {
		return nil
	}
	return &notice{cut}
}

// drop removes a segment that holds no line.
func (w *writer) drop(first uint64) error {
	err := errors.Join(w.file.Close(), w.cfg.disk.remove(w.path(first)), w.cfg.disk.syncDir(w.cfg.Dir))
	w.file, w.st = nil, state{}
	return err
}

// sign makes the signer. A log keeps the origin of its last checkpoint.
func (w *writer) sign(key ed25519.PrivateKey, last *audit.Checkpoint) error {
	if last != nil {
		w.origin = last.Origin
	}
	s, err := newSigner(w.origin, key)
	w.signer = s
	return err
}

// load reads the last segment.File, cuts a torn tail and the zeros, and leaves the
// writer at its end. It reports how many torn bytes were cut.
func (w *writer) load(s segment.File) (*audit.Chain, int64, error) {
	f, err := w.cfg.disk.open(s.Path)
	if err != nil {
		return nil, 0, err
	}
	walk := &audit.Chain{Key: w.pub}
	in := segment.NewReader(io.NewSectionReader(f, 0, 1<<62))
	cut, err := replay(walk, in, s)
	if err == nil && !walk.Key.Key.Equal(w.pub.Key) {
		return nil, 0, errors.Join(fmt.Errorf("%w to %s", errKeyChanged, walk.Key), f.Close())
	}
	if err != nil {
		err = fmt.Errorf("%s line %d: %w: the log was changed or the key is not its own; run byline audit verify, restore the key, or move the folder away and keep it",
			segment.Name(s.First), in.Lines, err)
		return nil, 0, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Truncate(in.Offset), f.Sync()); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("cut %s: %w", segment.Name(s.First), err), f.Close())
	}
	w.begun(f, in.Offset, false)
	w.tasks = walk.Tasks
	w.st = state{segment: s.First, off: in.Offset, seq: walk.Seq, head: walk.Head, tree: walk.Tree,
		lastUS: walk.LastUS, unsealed: walk.Unsealed > 0, ended: walk.Closed}
	return walk, cut, nil
}

// replay walks one segment from its beginning to its last whole line.
func replay(walk *audit.Chain, in *segment.Reader, s segment.File) (cut int64, err error) {
	for {
		line, err := in.Next()
		var t *segment.TornTail
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case errors.As(err, &t):
			return t.Bytes, nil
		case err != nil:
			return 0, err
		}
		if in.Lines == 1 && s.First > 0 {
			if err := walk.Resume(line); err != nil {
				return 0, err
			}
			if walk.Seq != s.First {
				return 0, fmt.Errorf("begins with seq %d", walk.Seq)
			}
		}
		if err := walk.CheckLine(line); err != nil {
			return 0, err
		}
	}
}

// repair goes back to what was acknowledged: after a failed write or fsync
// nobody knows what the disk holds of the rest (the kernel may have dropped the
// pages and call them clean), so it is cut, never synced again. It starts a new
// segment that says what happened.
func (w *writer) repair(detail string) (*state, error) {
	w.dropSpare() // its space may be what is needed
	if w.file != nil {
		w.file.Close() // its errors are the ones being repaired
		w.file = nil
	}
	cut, err := w.cutBack()
	if err != nil {
		return nil, err
	}
	st := w.st
	w.begin()
	if err := w.next(&st, nil); err != nil {
		return nil, err
	}
	w.putOwn(&st, w.cfg.now().UnixMicro(), &audit.Record{Kind: audit.KindRecovery, Code: audit.CodeDisk, Cut: cut, Detail: detail})
	if _, err := w.write(&st); err != nil {
		return nil, err
	}
	return &w.st, nil
}

// cutBack re-reads the acknowledged lines, cuts what follows, and makes the cut
// durable. Truncating rewrites the last block, so it is not left to a page that
// failed to reach the disk.
func (w *writer) cutBack() (cut int64, err error) {
	f, err := w.cfg.disk.open(w.path(w.st.segment))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	walk := &audit.Chain{Key: w.pub}
	s := segment.File{First: w.st.segment}
	if _, err := replay(walk, segment.NewReader(io.NewSectionReader(f, 0, w.st.off)), s); err != nil {
		return 0, fmt.Errorf("acknowledged records are damaged: %w", err)
	}
	if w.st.off > 0 && (walk.Seq != w.st.seq || walk.Head != w.st.head) {
		return 0, errors.New("acknowledged records are damaged")
	}
	w.tasks = walk.Tasks
	rest := segment.NewReader(io.NewSectionReader(f, w.st.off, 1<<62))
	var t *segment.TornTail
	if err := rest.ScanTail(); errors.As(err, &t) {
		cut = t.Bytes
	}
	if err := f.Truncate(w.st.off); err != nil {
		return 0, fmt.Errorf("cut: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("cut: %w", err)
	}
	return cut, nil
}

func newSigner(origin string, key ed25519.PrivateKey) (*signer, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	return &signer{v.Name(), v.KeyHash(), key}, nil
}

// signer is a note.Signer from a key in memory.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

func (s *signer) public() audit.PublicKey {
	return audit.PublicKey{Name: s.name, Key: s.key.Public().(ed25519.PublicKey)}
}

func (s *signer) Name() string                    { return s.name }
func (s *signer) KeyHash() uint32                 { return s.hash }
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }
