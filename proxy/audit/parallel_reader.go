package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
)

const blockBytes = 256 << 10 // longer than a longest line

// block is a piece of a segment that consists of whole lines.
type block struct {
	buf    []byte // buf[0] precedes the lines, so that each line has a byte before it
	off    int64  // offset of the first line in the file
	lines  []parsedLine
	parsed chan struct{} // capacity 1: gets a value when lines is filled
}

// readLinesParallel reads whole lines from the beginning of f. It parses and
// hashes them on all processors and calls do with them in order, on the caller's
// goroutine, each with its number from 1 and the offset after it, until do
// returns false. The line is valid during the call.
//
// It stops without error before the first bytes that are not a whole line, hold
// a zero byte, or are too long, and returns their offset and the number of lines
// before them.
func readLinesParallel(f *os.File, do func(p *parsedLine, n int, end int64) bool) (off int64, n int, err error) {
	workers := runtime.GOMAXPROCS(0)
	blocks := workers + 2
	r := &parallelReader{
		f:       f,
		free:    make(chan *block, blocks),
		toParse: make(chan *block, blocks),
		inOrder: make(chan *block, blocks),
		quit:    make(chan struct{}),
	}
	for range blocks {
		r.free <- &block{buf: make([]byte, 1, blockBytes+1), parsed: make(chan struct{}, 1)}
	}

	var running sync.WaitGroup
	running.Go(r.readBlocks)
	for range workers {
		running.Go(r.parseBlocks)
	}
	defer running.Wait()
	defer close(r.quit)

	for b := range r.inOrder {
		<-b.parsed
		end := b.off
		for i := range b.lines {
			p := &b.lines[i]
			end += int64(len(p.line)) + 1
			n++
			if !do(p, n, end) {
				return end, n, nil
			}
		}
		off = end
		r.free <- b
	}

	return off, n, r.err
}

// parallelReader is one call of readLinesParallel. Blocks go from free to
// toParse and inOrder and back to free.
type parallelReader struct {
	f                      *os.File
	free, toParse, inOrder chan *block
	quit                   chan struct{}
	err                    error // of readBlocks; valid once inOrder is closed
}

// readBlocks fills free blocks with whole lines.
func (r *parallelReader) readBlocks() {
	defer close(r.inOrder)
	defer close(r.toParse)

	var rest []byte // the beginning of a line at the end of the last block
	off := int64(0)
	for more := true; more; {
		var b *block
		select {
		case b = <-r.free:
		case <-r.quit:
			return
		}

		b.buf = append(b.buf[:1], rest...)
		n, err := io.ReadFull(r.f, b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if err != nil {
			more = false
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				r.err = err
			}
		}

		end := len(b.buf)
		if zero := bytes.IndexByte(b.buf[1:], 0); zero >= 0 {
			end = 1 + zero
			more = false
		}
		end = bytes.LastIndexByte(b.buf[1:end], '\n') + 2
		if end == 1 { // no whole line is left
			return
		}

		rest = append(rest[:0], b.buf[end:]...)
		b.buf = b.buf[:end]
		b.off = off
		off += int64(end - 1)

		select {
		case r.toParse <- b:
		case <-r.quit:
			return
		}
		r.inOrder <- b // has room for all blocks
	}
}

// parseBlocks parses the lines of blocks.
func (r *parallelReader) parseBlocks() {
	for b := range r.toParse {
		b.lines = b.lines[:0]
		for at := 1; at < len(b.buf); {
			length := bytes.IndexByte(b.buf[at:], '\n')

			// Reuse the elements of lines and their memory.
			if len(b.lines) == cap(b.lines) {
				b.lines = append(b.lines, parsedLine{})
			} else {
				b.lines = b.lines[:len(b.lines)+1]
			}

			// The byte before the line is the newline of the line before, or
			// buf[0]. It becomes the leaf prefix for a moment.
			before := b.buf[at-1]
			b.buf[at-1] = 0
			b.lines[len(b.lines)-1].parse(b.buf[at-1 : at+length])
			b.buf[at-1] = before

			at += length + 1
		}
		b.parsed <- struct{}{}
	}
}
