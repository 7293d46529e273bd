package audit

import (
	"sync"
	"sync/atomic"
)

const (
	chunk    = 1 << 20   // zeros are written so many at a time
	farAhead = 8 * chunk // and so far before the lines
)

var zeros [chunk]byte

// padded is a segment that is filled with zeros ahead of its lines. What is
// written over zeros that the disk has already changes no metadata, so making it
// durable takes a third of the time. A goroutine fills and syncs through a file
// of its own: a failure that a sync reports is reported once for each open file,
// and must not be taken from the one that the lines go through.
type padded struct {
	file   // the lines'
	open   func() (file, error)
	limit  int64        // the goroutine does not fill beyond it
	filled atomic.Int64 // up to here there are zeros, or lines

	mu      sync.Mutex // while zeros are written: never over lines
	wake    chan struct{}
	lines   atomic.Int64 // they end here
	quit    chan struct{}
	stopped chan struct{} // nil: the goroutine was not needed yet
}

// pad takes over f, the segment at path, which ends at size.
func (w *writer) pad(f file, path string, size int64) file {
	p := &padded{file: f, open: func() (file, error) { return w.cfg.disk.open(path) }, limit: w.cfg.SegmentBytes,
		wake: make(chan struct{}, 1), quit: make(chan struct{})}
	p.filled.Store(size)
	return p
}

// WriteAt writes lines; first zeros, where there are none yet.
func (p *padded) WriteAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	if err := p.cover(end); err != nil {
		return 0, err
	}
	n, err := p.file.WriteAt(b, off)
	p.lines.Store(end)
	if p.behind() {
		if p.stopped == nil {
			p.stopped = make(chan struct{})
			go p.fill()
		}
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return n, err
}

func (p *padded) cover(end int64) error {
	if p.filled.Load() >= end {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.filled.Load() < end {
		if _, err := p.file.WriteAt(zeros[:], p.filled.Load()); err != nil {
			return err
		}
		p.filled.Add(chunk)
	}
	return nil
}

func (p *padded) behind() bool {
	f := p.filled.Load()
	return f < p.limit && f < p.lines.Load()+farAhead
}

// fill is the goroutine. It ends at its first failure: the lines will meet it.
func (p *padded) fill() {
	defer close(p.stopped)
	f, err := p.open()
	if err != nil {
		return
	}
	defer f.Close()
	for {
		select {
		case <-p.quit:
			return
		case <-p.wake:
		}
		for p.behind() {
			select {
			case <-p.quit:
				return
			default:
			}
			if p.step(f) != nil {
				return
			}
		}
	}
}

// step fills one chunk. Only once it is durable may lines be written over it:
// a sync through f that fails must have no line to lose.
func (p *padded) step(f file) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := f.WriteAt(zeros[:], p.filled.Load()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	p.filled.Add(chunk)
	return nil
}

func (p *padded) stop() {
	select {
	case <-p.quit:
	default:
		close(p.quit)
	}
	if p.stopped != nil {
		<-p.stopped
	}
}

// Truncate and Close end the filling. No line may be written afterwards.
func (p *padded) Truncate(size int64) error {
	p.stop()
	return p.file.Truncate(size)
}

func (p *padded) Close() error {
	p.stop()
	return p.file.Close()
}
