package mask

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// holdBack is how much of an unfinished line is held back until more text comes
	// or the source pauses.
	holdBack = 4 << 10

	// pause is how long the source may pause before what is held back is passed on.
	pause = 100 * time.Millisecond

	// maxContext bounds the text before the one to be passed on that is kept, because
	// a secret began there.
	maxContext = 64 << 10

	// leastRoom is the size of a caller's buffer from which on it is masked in.
	leastRoom = 512
)

var linesHeld atomic.Uint64

// LinesHeld returns how often a text paused in the middle of a line, which was held
// back for that time.
func LinesHeld() uint64 { return linesHeld.Load() }

// reader passes text on up to the end of its last line, and what follows that when
// more comes, the source pauses, or the text ends. Neither depends on a secret: an agent
// that could see when a few bytes are held back would see whether they are the
// beginning of one.
type reader struct {
	masker Masker
	source io.Reader

	*buffers // nil until something is held back

	// text[:passed] was passed on and is kept because a secret begins in it.
	// text[passed:] is held back.
	text   []byte
	passed int

	ready []byte // masked, before text or in out
	spans []span
	err   error // of the source

	arrived chan chunkRead // nil until something is held back
	reading bool           // in another goroutine
	timer   *time.Timer
}

// chunkSize is how much another goroutine reads at most, to the end of text.
const chunkSize = 16 << 10

// maxArrived is how much is read at most before it is masked.
const maxArrived = 3 * chunkSize

// buffers is the memory of a reader that holds something back.
type buffers struct {
	held [4 * chunkSize]byte // where text is, unless it is longer
	out  []byte
}

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

type chunkRead struct {
	n   int
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}

	for len(r.ready) == 0 {
		if r.err != nil {
			r.returnBuffers()
			return 0, r.err
		}
		// Whether something is kept depends on a secret, so how much is read must not
		// depend on that.
		isNothingHeld := len(r.text) == r.passed && !r.reading
		if isNothingHeld && len(p) >= leastRoom {
			n, err := r.source.Read(p)
			r.err = err
			if r.passed == 0 {
				n = r.maskInPlace(p[:n])
			} else {
				n = r.maskAfterKept(p[:n])
			}
			if n > 0 {
				return n, nil
			}
			continue
		}
		r.readHeld()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// maskInPlace masks b, which nothing precedes, and returns how much of it may be
// passed on. It keeps the rest.
func (r *reader) maskInPlace(b []byte) int {
	free := r.boundary(b)
	kept := r.find(b, free)
	if r.err == nil && kept < len(b) {
		r.moveText(b[kept:])
		r.passed = free - kept
	}
	for _, s := range r.spans {
		stars(b[s.start:min(s.end, free)])
	}
	return free
}

// maskAfterKept is maskInPlace for b that follows the text, which was passed on and is
// kept.
func (r *reader) maskAfterKept(b []byte) int {
	if cap(r.text)-len(r.text) < len(b) {
		r.moveText(r.text)
	}
	r.text = append(r.text, b...)
	r.release(r.boundary(r.text))

	n := copy(b, r.ready)
	r.ready = nil
	return n
}

// moveText sets the text to a copy of b with room for what arrives.
func (r *reader) moveText(b []byte) {
	if r.buffers == nil {
		r.buffers = bufferPool.Get().(*buffers)
	}
	room := r.held[:0]
	if len(b)+maxArrived > cap(room) {
		room = make([]byte, 0, 2*len(b)+maxArrived)
	}
	r.text = append(room, b...)
}

// find sets r.spans to what is to be masked in b and returns the offset from which on
// b must be kept: before free if a secret may begin there that ends after free.
func (r *reader) find(b []byte, free int) (kept int) {
	var open int
	r.spans, open = r.masker.spans(r.spans[:0], b, r.err != nil)
	kept = min(free, open)
	n := 0
	for _, s := range r.spans {
		if s.start >= free {
			continue
		}
		if s.end > free {
			kept = min(kept, s.start)
		}
		r.spans[n] = s
		n++
	}
	r.spans = r.spans[:n]
	r.masker.notes.add(r.spans)
	return max(kept, free-maxContext)
}

// boundary returns the offset up to which the text may be passed on without a pause.
func (r *reader) boundary(b []byte) int {
	if r.err != nil {
		return len(b)
	}
	from := max(r.passed, len(b)-holdBack)
	return from + bytes.LastIndexByte(b[from:], '\n') + 1
}

// readHeld reads once while something is held back, or with little room, and makes
// ready what may be passed on then.
func (r *reader) readHeld() {
	if !r.reading && r.hasArrived() {
		r.readArrived()
		return
	}
	if !r.reading {
		r.startRead()
	}

	var read chunkRead
	if len(r.text) == r.passed {
		read = <-r.arrived
	} else {
		r.timer.Reset(pause)
		select {
		case read = <-r.arrived:
			r.timer.Stop()
		case <-r.timer.C:
			linesHeld.Add(1)
			r.release(len(r.text))
			return
		}
	}

	r.reading = false
	r.err = read.err
	r.text = r.text[:len(r.text)+read.n]
	r.release(r.boundary(r.text))
}

// arriving is a source that knows whether the next Read returns without waiting.
type arriving interface{ HasArrived() bool }

func (r *reader) hasArrived() bool {
	source, ok := r.source.(arriving)
	return ok && source.HasArrived()
}

// readArrived is readHeld for a source that does not wait. It reads as much as has
// arrived, at most maxArrived, because what is held back is looked at again each time.
func (r *reader) readArrived() {
	if cap(r.text)-len(r.text) < maxArrived {
		r.moveText(r.text)
	}
	for end := len(r.text) + maxArrived - chunkSize; ; {
		n, err := r.source.Read(r.text[len(r.text) : len(r.text)+chunkSize])
		r.err = err
		r.text = r.text[:len(r.text)+n]
		if n == 0 || err != nil || len(r.text) > end || !r.hasArrived() {
			break
		}
	}
	r.release(r.boundary(r.text))
}

// startRead begins to read the source to the end of the text in another goroutine. The
// text must not be moved until it has arrived.
func (r *reader) startRead() {
	if r.arrived == nil {
		r.arrived = make(chan chunkRead, 1)
		r.timer = time.NewTimer(time.Hour)
		r.timer.Stop()
	}
	if cap(r.text)-len(r.text) < chunkSize {
		r.moveText(r.text)
	}

	r.reading = true
	source, into, arrived := r.source, r.text[len(r.text):len(r.text)+chunkSize], r.arrived
	go func() {
		n, err := source.Read(into)
		arrived <- chunkRead{n, err}
	}()
}

// returnBuffers is called when nothing is read or handed out any more.
func (r *reader) returnBuffers() {
	if r.buffers != nil {
		bufferPool.Put(r.buffers)
		r.buffers, r.ready, r.text = nil, nil, nil
	}
}

// release makes ready the text up to free, masked.
func (r *reader) release(free int) {
	kept := r.find(r.text, free)
	masked := r.text[r.passed:free]
	if kept < free && r.err == nil {
		// What is kept must stay as it is.
		r.out = append(r.out[:0], masked...)
		masked = r.out
	}
	for _, s := range r.spans {
		if start, end := max(s.start, r.passed), min(s.end, free); start < end {
			stars(masked[start-r.passed : end-r.passed])
		}
	}

	r.ready = masked
	if r.err != nil {
		kept = free
	}
	r.text, r.passed = r.text[kept:], free-kept
}
