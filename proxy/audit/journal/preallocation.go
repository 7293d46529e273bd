package journal

import (
	"path/filepath"
	"time"
)

const (
	spareName  = "next.zeros"
	spareStep  = 64 << 10  // zeros are written and synced so many at a time: lines that wait behind a step wait little
	spareWorth = 256 << 10 // lines after which a log is busy enough for a spare
	spareRoom  = 4         // so many times its size must be free
)

// spare is a file full of durable zeros that becomes the next segment. What is
// written over zeros that the disk has already changes no metadata, so making it
// durable takes a third of the time. It is a file of its own because zeros that
// are written to the lines' file are part of the lines' next sync.
type spare struct {
	disk disk
	path string
	size int64
	made chan file // capacity 1; closed without one when there will be none
	quit chan struct{}
}

func newSpare(cfg Config) *spare {
	s := &spare{disk: cfg.disk, path: filepath.Join(cfg.Dir, spareName), size: cfg.SegmentBytes, made: make(chan file, 1), quit: make(chan struct{})}
	go s.fill()
	return s
}

// fill is the goroutine. It rests as long as each step took, so that the disk
// is the lines' for half of the time at least, and gives up at its first
// failure: the lines do without.
func (s *spare) fill() {
	defer close(s.made)
	if free, known := freeBytes(filepath.Dir(s.path)); known && free < spareRoom*uint64(s.size) {
		return
	}
	f, err := s.disk.create(s.path)
	if err != nil {
		return
	}
	rest := time.NewTimer(0)
	defer rest.Stop()
	for off := int64(0); off < s.size; off += spareStep {
		select {
		case <-s.quit:
			err = errClosed
		case <-rest.C:
			began := time.Now()
			if err = s.step(f, off); err == nil {
				rest.Reset(time.Since(began))
			}
		}
		if err != nil {
			_ = f.Close()
			_ = s.disk.remove(s.path)
			return
		}
	}
	s.made <- f
}

func (s *spare) step(f file, off int64) error {
	if _, err := f.WriteAt(zeros[:min(spareStep, s.size-off)], off); err != nil {
		return err
	}
	return f.Sync()
}

// ready tells whether take has a file to give.
func (s *spare) ready() bool { return len(s.made) > 0 }

// take is the file, the caller's from now on; nil: it is not there yet, and
// when ended is true it will not be.
func (s *spare) take() (f file, ended bool) {
	select {
	case f := <-s.made:
		return f, f == nil
	default:
		return nil, false
	}
}

// drop ends the filling and removes the file.
func (s *spare) drop() {
	close(s.quit)
	if f := <-s.made; f != nil {
		_ = f.Close()
		_ = s.disk.remove(s.path)
	}
}

// prepare has the spare made as soon as it is worth it: in the second half of a
// segment that was one itself, and soon where none was ready in time.
func (w *writer) prepare(off int64) {
	if w.spare == nil && off >= w.worth {
		w.spare = newSpare(w.cfg)
	}
}

// turns tells that the next segment should begin before this one is full: its
// file is prepared, and this one's was not.
func (w *writer) turns(st *state) bool {
	return w.spare != nil && !w.prepared && st.seq > st.segment && w.spare.ready()
}

// begun notes that lines go to f from off on; prepared says that it was a spare.
func (w *writer) begun(f file, off int64, prepared bool) {
	filled := off
	w.worth = off + min(spareWorth, w.cfg.SegmentBytes/4)
	if prepared {
		filled, w.worth = w.cfg.SegmentBytes, w.cfg.SegmentBytes/2
	}
	w.file, w.prepared = &padded{file: f, filled: filled}, prepared
}

// newSegment makes the file of the segment at path: the spare, if it is ready
// and takes the name.
func (w *writer) newSegment(path string) error {
	if w.spare != nil {
		f, ended := w.spare.take()
		from := w.spare.path
		if f != nil || ended {
			w.spare = nil
		}
		if f != nil {
			if w.cfg.disk.rename(from, path) == nil {
				w.begun(f, 0, true)
				return nil
			}
			_ = f.Close()
			_ = w.cfg.disk.remove(from)
		}
	}
	f, err := w.cfg.disk.create(path)
	if err != nil {
		return err
	}
	w.begun(f, 0, false)
	return nil
}

// dropSpare gives back the space of the spare, if there is one.
func (w *writer) dropSpare() {
	if w.spare != nil {
		w.spare.drop()
		w.spare = nil
	}
}
