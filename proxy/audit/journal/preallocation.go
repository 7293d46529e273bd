package journal

import (
	"path/filepath"
	"time"
)

const (
	// nextFileName is the file that is being preallocated.
	nextFileName = "next.zeros"

	// preallocationStep is how many zeros are written and synced at a time, in
	// bytes. Lines that must wait for such a sync wait only for a short one.
	preallocationStep = 64 << 10

	// preallocationThreshold is the length of the lines, in bytes, after which a
	// log is busy enough to preallocate a segment.
	preallocationThreshold = 256 << 10

	// preallocationReserve is how many times the size of a segment must be free on
	// the disk for one to be preallocated.
	preallocationReserve = 4
)

// preallocation fills a file with durable zeros that becomes the next segment.
// Writing over zeros that are on the disk changes no metadata of the file, so a
// sync takes a third of the time. The file is not the current segment, because
// zeros in that would become part of the sync of the lines.
//
// A preallocation that fails costs no record: the writer creates a segment in
// its place. The goroutine owns the file until it sends it to filled.
type preallocation struct {
	disk   disk
	path   string
	size   int64         // bytes
	filled chan file     // capacity 1; gets the complete file, or is closed without one
	quit   chan struct{} // closed by discard
}

// startPreallocation starts the goroutine that fills the file.
func startPreallocation(cfg Config) *preallocation {
	p := &preallocation{
		disk:   cfg.disk,
		path:   filepath.Join(cfg.Dir, nextFileName),
		size:   cfg.SegmentBytes,
		filled: make(chan file, 1),
		quit:   make(chan struct{}),
	}
	go p.fill()

	return p
}

// fill fills the file. It pauses after each step for as long as the step took, so
// that at least half of the disk's time remains for the lines. It gives up at its
// first failure and removes the file.
func (p *preallocation) fill() {
	defer close(p.filled)
	free, known := freeBytes(filepath.Dir(p.path))
	if known && free < preallocationReserve*uint64(p.size) {
		return
	}
	f, err := p.disk.create(p.path)
	if err != nil {
		return
	}

	pause := time.NewTimer(0)
	defer pause.Stop()
	for off := int64(0); off < p.size; off += preallocationStep {
		select {
		case <-p.quit:
			err = errClosed
		case <-pause.C:
			began := time.Now()
			err = p.writeStep(f, off)
			if err == nil {
				pause.Reset(time.Since(began))
			}
		}

		if err != nil {
			_ = f.Close()
			_ = p.disk.remove(p.path)
			return
		}
	}

	p.filled <- f
}

// writeStep makes the zeros of one step durable.
func (p *preallocation) writeStep(f file, off int64) error {
	n := min(preallocationStep, p.size-off)
	if _, err := f.WriteAt(zeros[:n], off); err != nil {
		return err
	}

	return f.Sync()
}

// isComplete reports whether take would return a file.
func (p *preallocation) isComplete() bool { return len(p.filled) > 0 }

// take returns the complete file, which then belongs to the caller, or nil if it
// is not complete. failed says that it never will be.
func (p *preallocation) take() (f file, failed bool) {
	select {
	case f := <-p.filled:
		return f, f == nil
	default:
		return nil, false
	}
}

// discard ends the goroutine, waits for it and removes the file.
func (p *preallocation) discard() {
	close(p.quit)
	if f := <-p.filled; f != nil {
		_ = f.Close()
		_ = p.disk.remove(p.path)
	}
}

// preallocateNext starts to preallocate the next segment once the lines in the
// current one reach preallocateAt: the middle of a segment that was preallocated
// itself, and soon after the start of any other. off is the end of the lines.
func (w *writer) preallocateNext(off int64) {
	if w.next == nil && off >= w.preallocateAt {
		w.next = startPreallocation(w.cfg)
	}
}

// shouldSwitchEarly reports whether the next segment should start before this one
// is full, because the file of the next is preallocated and this one's was not.
func (w *writer) shouldSwitchEarly(st *state) bool {
	return w.next != nil && !w.preallocated && st.seq > st.segment && w.next.isComplete()
}

// createSegmentFile creates the file of the segment at path and makes the writer
// use it. It renames the preallocated file if that is complete, and creates an
// empty one if it is not or if the rename fails. The caller syncs the directory.
func (w *writer) createSegmentFile(path string) error {
	if w.next != nil {
		f, failed := w.next.take()
		nextPath := w.next.path
		if f != nil || failed {
			w.next = nil
		}

		if f != nil {
			if w.cfg.disk.rename(nextPath, path) == nil {
				w.useFile(f, 0, true)
				return nil
			}
			_ = f.Close()
			_ = w.cfg.disk.remove(nextPath)
		}
	}

	f, err := w.cfg.disk.create(path)
	if err != nil {
		return err
	}
	w.useFile(f, 0, false)

	return nil
}

// useFile makes f the segment file, whose lines end at off. preallocated says
// that it is filled with zeros.
func (w *writer) useFile(f file, off int64, preallocated bool) {
	filled := off
	w.preallocateAt = off + min(preallocationThreshold, w.cfg.SegmentBytes/4)
	if preallocated {
		filled = w.cfg.SegmentBytes
		w.preallocateAt = w.cfg.SegmentBytes / 2
	}

	w.file = &zeroFilledFile{file: f, filled: filled}
	w.preallocated = preallocated
}

// discardNext removes the preallocated file, if there is one.
func (w *writer) discardNext() {
	if w.next != nil {
		w.next.discard()
		w.next = nil
	}
}
