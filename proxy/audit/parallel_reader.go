package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
)

const blockBytes = 256 << 10 // more than the longest line

// block is a piece of a segment made of whole lines.
type block struct {
	buf   []byte // buf[0] is spare: each line has a byte before it
	off   int64  // in the file, of its first line
	lines []parsed
	ready chan struct{}
}

// readAhead reads whole lines from the beginning of f, parses and hashes them
// on all processors, and gives them to take in order, on the caller's
// goroutine, each with its number from 1 and the offset of its end, until take
// returns false. It stops without error before what is not a whole line, or
// holds a zero byte, or is too long, and returns where that is and how many
// lines came before. What take got is valid only during the call.
func readAhead(f *os.File, take func(p *parsed, n int, off int64) bool) (off int64, n int, err error) {
	workers := runtime.GOMAXPROCS(0)
	a := &ahead{f: f, free: make(chan *block, workers+2), work: make(chan *block, workers+2), order: make(chan *block, workers+2), quit: make(chan struct{})}
	for range workers + 2 {
		a.free <- &block{buf: make([]byte, 1, blockBytes+1), ready: make(chan struct{}, 1)}
	}
	var wg sync.WaitGroup
	wg.Go(a.read)
	for range workers {
		wg.Go(a.parse)
	}
	defer wg.Wait()
	defer close(a.quit)
	for b := range a.order {
		<-b.ready
		at := b.off
		for i := range b.lines {
			p := &b.lines[i]
			at += int64(len(p.line)) + 1
			if n++; !take(p, n, at) {
				return at, n, nil
			}
		}
		off = at
		a.free <- b
	}
	return off, n, a.err
}

// ahead is one reading. Blocks go from free to work and order, and back.
type ahead struct {
	f                 *os.File
	free, work, order chan *block
	quit              chan struct{}
	err               error // of read; valid once order is closed
}

func (a *ahead) read() {
	defer close(a.order)
	defer close(a.work)
	var rest []byte // of the last block: the beginning of a line
	off := int64(0)
	for more := true; more; {
		var b *block
		select {
		case b = <-a.free:
		case <-a.quit:
			return
		}
		b.buf = append(b.buf[:1], rest...)
		n, err := io.ReadFull(a.f, b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if err != nil {
			more = false
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				a.err = err
			}
		}
		end := len(b.buf)
		if zero := bytes.IndexByte(b.buf[1:], 0); zero >= 0 {
			end, more = 1+zero, false
		}
		end = bytes.LastIndexByte(b.buf[1:end], '\n') + 2
		if end == 1 { // not one whole line
			return
		}
		rest = append(rest[:0], b.buf[end:]...)
		b.buf, b.off = b.buf[:end], off
		off += int64(end - 1)
		select {
		case a.work <- b:
		case <-a.quit:
			return
		}
		a.order <- b // has room for every block
	}
}

func (a *ahead) parse() {
	for b := range a.work {
		b.lines = b.lines[:0]
		for at := 1; at < len(b.buf); {
			n := bytes.IndexByte(b.buf[at:], '\n')
			if len(b.lines) == cap(b.lines) {
				b.lines = append(b.lines, parsed{})
			} else {
				b.lines = b.lines[:len(b.lines)+1]
			}
			before := b.buf[at-1]
			b.buf[at-1] = 0
			b.lines[len(b.lines)-1].parse(b.buf[at-1 : at+n])
			b.buf[at-1] = before
			at += n + 1
		}
		b.ready <- struct{}{}
	}
}
