package body

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// minBoundary is the shortest boundary that is made: 22 characters of 62 hold 130
// random bits.
const minBoundary = 22

// NewBoundary makes a boundary of length characters, at least 22 and at most 70, from
// random, which must be unpredictable for whoever sends the form.
func NewBoundary(random io.Reader, length int) (string, error) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	length = min(max(length, minBoundary), maxBoundary)

	boundary := make([]byte, 0, maxBoundary)
	var noise [32]byte
	for {
		if _, err := io.ReadFull(random, noise[:]); err != nil {
			return "", err
		}
		for _, b := range noise {
			if b >= 4*byte(len(alphabet)) {
				continue // so that every character is equally likely
			}
			boundary = append(boundary, alphabet[b%byte(len(alphabet))])
			if len(boundary) == length {
				return string(boundary), nil
			}
		}
	}
}

var errBoundaryInContent = fail(BoundaryInContent, "the form holds the boundary under which it was to be sent on: send it again")

// boundaryGuard looks for the boundary in a text that comes in pieces. The boundary
// is random, but an application that echoes an upload while it arrives could tell it
// to the agent.
type boundaryGuard struct {
	boundary []byte
	tail     []byte // of the text so far, shorter than the boundary
}

func newBoundaryGuard(boundary string) boundaryGuard {
	return boundaryGuard{boundary: []byte(boundary), tail: make([]byte, 0, 2*len(boundary))}
}

// check returns an error if the boundary occurs in the text that ends with piece.
func (g *boundaryGuard) check(piece []byte) error {
	keep := len(g.boundary) - 1
	if len(g.tail) > 0 {
		seam := append(g.tail, piece[:min(keep, len(piece))]...)
		if bytes.Contains(seam, g.boundary) {
			return errBoundaryInContent
		}
		g.tail = append(g.tail[:0], seam[max(0, len(seam)-keep):]...)
	}
	if bytes.Contains(piece, g.boundary) {
		return errBoundaryInContent
	}
	if len(piece) >= keep || len(g.tail) == 0 {
		g.tail = append(g.tail[:0], piece[max(0, len(piece)-keep):]...)
	}
	return nil
}

// MultipartWriter writes a multipart form in its canonical spelling. It is not safe
// for concurrent use. After an error the form is incomplete and must not be used.
type MultipartWriter struct {
	w        io.Writer
	boundary string
	guard    boundaryGuard
	scratch  []byte
}

// NewMultipartWriter writes to w, with a boundary of [NewBoundary].
func NewMultipartWriter(w io.Writer, boundary string) *MultipartWriter {
	return &MultipartWriter{w: w, boundary: boundary, guard: newBoundaryGuard(boundary)}
}

// WritePart writes a part: its Value, and then its Content up to its end.
func (m *MultipartWriter) WritePart(p *Part) error {
	if err := checkWritable(p); err != nil {
		return err
	}

	m.scratch = appendPartHead(m.scratch[:0], m.boundary, p)
	if err := checkHead(p, m.boundary); err != nil {
		return err
	}

	if _, err := m.w.Write(m.scratch); err != nil {
		return err
	}
	if _, err := (guardedWriter{m}).Write(p.Value); err != nil {
		return err
	}
	if p.Content != nil {
		if _, err := io.Copy(guardedWriter{m}, p.Content); err != nil {
			return err
		}
	}

	_, err := io.WriteString(m.w, "\r\n")
	return err
}

// Close writes the final boundary. It does not close the underlying writer.
func (m *MultipartWriter) Close() error {
	_, err := io.WriteString(m.w, "--"+m.boundary+"--\r\n")
	return err
}

type guardedWriter struct{ m *MultipartWriter }

func (g guardedWriter) Write(p []byte) (int, error) {
	if err := g.m.guard.check(p); err != nil {
		return 0, err
	}
	return g.m.w.Write(p)
}

// checkWritable reports a part that MultipartReader would not have returned.
func checkWritable(p *Part) error {
	switch {
	case !p.isConsistent():
		return errDisposition
	case p.Name == "" || beginsWithBracket(p.Name):
		return errPartName
	case !utf8.ValidString(p.Name) || !utf8.ValidString(p.FileName):
		return errPartUTF8
	case !isClearName(p.Name):
		return errNameEscape
	case !isClearFileName(p.FileName):
		return errFileNameEscape
	case strings.IndexByte(p.Name, 0) >= 0 || strings.IndexByte(p.FileName, 0) >= 0:
		return errPartNUL
	}
	return nil
}

// isConsistent reports whether the part's members are those of its kind.
func (p *Part) isConsistent() bool {
	switch p.Kind {
	case Field:
		return p.FileName == "" && p.Type == "" && p.Content == nil
	case TypedField:
		return p.FileName == "" && isMediaType(p.Type) && p.Content == nil
	case File:
		return p.FileName != "" && isMediaType(p.Type)
	case NoFile:
		return p.FileName == "" && p.Type == octetStream && len(p.Value) == 0 && p.Content == nil
	}
	return false
}

// checkHead reports a boundary within a part's head.
func checkHead(p *Part, boundary string) error {
	if strings.Contains(p.Name, boundary) || strings.Contains(p.FileName, boundary) || strings.Contains(p.Type, boundary) {
		return errBoundaryInContent
	}
	return nil
}
