package body

import "io"

// Upload is a multipart form of which the beginning is held: enough to decide about
// the request before anything of it is sent on.
type Upload struct {
	// Parts are the parts so far, in order. If Whole is false, the last of them is
	// a File of which Value holds the beginning and Content streams the rest.
	Parts []Part
	Whole bool // Parts is the whole form

	rest *MultipartReader
}

// ReadUpload reads the form that t describes from src up to the first file that does
// not fit into maxFiles bytes with those before it; with maxFiles 0 that is the first
// file. Many forms have fields after their file, which are known only if the file is
// held. o.Reserve is called for the bytes of files as well.
func ReadUpload(src io.Reader, t ContentType, o MultipartOptions, maxFiles int64) (*Upload, error) {
	reader, err := NewMultipartReader(src, t, o)
	if err != nil {
		return nil, err
	}

	u := &Upload{rest: reader}
	for {
		part, err := reader.Next()
		if err == io.EOF {
			u.Whole = true
			return u, nil
		}
		if err != nil {
			return nil, err
		}

		u.Parts = append(u.Parts, *part)
		if part.Kind != File {
			continue
		}
		held := &u.Parts[len(u.Parts)-1]
		whole, err := reader.holdFile(held, &maxFiles)
		if err != nil {
			return nil, err
		}
		if !whole {
			return u, nil
		}
	}
}

// holdFile moves up to *room bytes of the current file from p.Content to p.Value. If
// that was all of it, Content is nil.
func (m *MultipartReader) holdFile(p *Part, room *int64) (whole bool, err error) {
	for *room > 0 {
		piece, err := m.fileContent(int(min(*room, readerSize)))
		if err == io.EOF {
			p.Content = nil
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if m.options.Reserve != nil {
			if err := m.options.Reserve(len(piece)); err != nil {
				return false, err
			}
		}
		p.Value = append(p.Value, piece...)
		*room -= int64(len(piece))
	}
	return false, nil
}

// CanStream reports whether the form, as far as it is known, can be sent on under the length that it came with.
func (u *Upload) CanStream() bool {
	return len(u.rest.delimiter)-len("\r\n--")+min(u.rest.slack, 0) >= minBoundary
}

// Named returns the parts among u.Parts that bear a name, of whatever kind.
func (u *Upload) Named(name string) []Part {
	var named []Part
	for i := range u.Parts {
		if u.Parts[i].Name == name {
			named = append(named, u.Parts[i])
		}
	}
	return named
}

// NewBoundary makes a boundary for the canonical form. It is as long as the one that
// the form came with, or shorter by what the parts so far become longer, so that the
// form can be sent on with the length that it came with: forms as browsers write them
// keep their length, those of other clients become shorter. Only under a boundary of
// less than about 26 characters (LWP's xYzZY) a form can become longer.
func (u *Upload) NewBoundary(random io.Reader) (string, error) {
	length := len(u.rest.delimiter) - len("\r\n--")
	return NewBoundary(random, length+min(u.rest.slack, 0))
}

// Length returns the length of the canonical form, which is known if u.Whole.
func (u *Upload) Length(boundary string) (n int64, known bool) {
	if !u.Whole {
		return 0, false
	}
	var head []byte
	for i := range u.Parts {
		head = appendPartHead(head[:0], boundary, &u.Parts[i])
		n += int64(len(head) + len(u.Parts[i].Value) + len("\r\n"))
		if spool := u.Parts[i].spool; spool != nil {
			n += spool.size
		}
	}
	return n + int64(len(appendFinal(nil, boundary))), true
}

func appendFinal(dst []byte, boundary string) []byte {
	dst = append(dst, "--"...)
	dst = append(dst, boundary...)
	return append(dst, "--\r\n"...)
}

var errPromise = fail(LongerThanPromised, "the form becomes longer than its Content-Length when it is written in canonical form: send it with quoted names and a boundary of 26 characters or more, or in chunks")

// StreamOptions are those of [Upload.Stream].
type StreamOptions struct {
	// Accept is called for every part that Parts does not have, before any of it
	// is given out. Its error ends the stream: the form is then incomplete, and the
	// caller must not end the request as if it were whole. It may be nil only if
	// Upload.Whole.
	Accept func(*Part) error

	// PadTo, if positive, is the length that the canonical form is to have: blanks
	// after the final boundary make up for what it is shorter than the original. So
	// a form whose length was announced can be sent on with a Content-Length before
	// its end is known.
	PadTo int64

	// Scan, if not nil, is called for every part. What it returns, if not nil, is called
	// for each piece of the content of a file before the piece is given out, and at
	// its end without a piece. Its error ends the stream as Accept's does.
	Scan func(*Part) func(piece []byte, isEnd bool) error
}

// Stream is the canonical form of an Upload as an io.Reader. It is read once, by one
// goroutine. What was held is given out without a copy of it being made.
type Stream struct {
	upload   *Upload
	boundary string
	options  StreamOptions
	guard    boundaryGuard

	scan    func(piece []byte, isEnd bool) error // of the part; nil for none
	next    int                                  // index of the next of upload.Parts
	part    *Part                                // the one that is given out
	step    streamStep
	head    []byte            // memory for heads
	pending []byte            // to be given out next
	section *io.SectionReader // what is left of a spooled file
	copied  []byte            // memory for pieces of it
	live    bool              // pending came from the source just now
	written int64             // with pending
	err     error
}

type streamStep uint8

const (
	writeHead streamStep = iota
	writeValue
	writeContent
	writePadding
	writeNothing
)

// Stream returns the canonical form under a boundary of [NewBoundary].
func (u *Upload) Stream(boundary string, o StreamOptions) *Stream {
	return &Stream{upload: u, boundary: boundary, options: o, guard: newBoundaryGuard(boundary)}
}

// Read implements io.Reader. It fills p from what is held, and returns early rather
// than wait for the source with something to give out.
func (s *Stream) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(s.pending) == 0 {
			if n > 0 && s.needsSource() {
				return n, nil
			}
			s.advance(len(p) - n)
			if s.err != nil && len(s.pending) == 0 {
				break
			}
		}

		copied := copy(p[n:], s.pending)
		s.pending = s.pending[copied:]
		n += copied
		if s.live {
			return n, nil
		}
	}

	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, s.err
}

// needsSource reports whether what comes next has to be read from the source first.
func (s *Stream) needsSource() bool {
	switch s.step {
	case writeHead:
		return s.next == len(s.upload.Parts) && !s.upload.Whole
	case writeContent:
		return s.part.Content != nil
	}
	return false
}

// WriteTo implements io.WriterTo.
func (s *Stream) WriteTo(w io.Writer) (written int64, err error) {
	for {
		for len(s.pending) == 0 && s.err == nil {
			s.advance(readerSize)
		}
		if len(s.pending) > 0 {
			n, err := w.Write(s.pending)
			s.pending = s.pending[n:]
			written += int64(n)
			if err != nil {
				return written, err
			}
			continue
		}
		if s.err == io.EOF {
			return written, nil
		}
		return written, s.err
	}
}

// advance sets pending to what comes next, at most limit bytes of it if it comes from
// the source, or err.
func (s *Stream) advance(limit int) {
	s.live = false
	if s.err != nil {
		return
	}

	var err error
	switch s.step {
	case writeHead:
		err = s.startPart()
	case writeValue:
		err = s.check(s.part.Value)
		s.pending, s.step = s.part.Value, writeContent
		if spool := s.part.spool; spool != nil {
			s.section = io.NewSectionReader(spool.file, spool.offset, spool.size)
		}
	case writeContent:
		err = s.readContent(limit)
	case writePadding:
		s.pad()
	case writeNothing:
		err = io.EOF
	}
	if err != nil {
		s.fail(err)
		return
	}

	s.written += int64(len(s.pending))
	if s.options.PadTo > 0 && s.written > s.options.PadTo {
		s.fail(errPromise)
	}
}

func (s *Stream) fail(err error) {
	s.pending, s.err = nil, err
}

// startPart makes the next part's head pending, or the end of the form.
func (s *Stream) startPart() error {
	part, err := s.nextPart()
	if err == io.EOF {
		s.pending, s.step = appendFinal(s.head[:0], s.boundary), writePadding
		return nil
	}
	if err != nil {
		return err
	}
	if err := checkHead(part, s.boundary); err != nil {
		return err
	}

	s.scan = nil
	if s.options.Scan != nil {
		s.scan = s.options.Scan(part)
	}
	s.head = appendPartHead(s.head[:0], s.boundary, part)
	s.part, s.pending, s.step = part, s.head, writeValue
	return nil
}

func (s *Stream) nextPart() (*Part, error) {
	u := s.upload
	if s.next < len(u.Parts) {
		s.next++
		return &u.Parts[s.next-1], nil
	}
	if u.Whole {
		return nil, io.EOF
	}

	part, err := u.rest.Next()
	if err != nil {
		return nil, err
	}
	if err := s.options.Accept(part); err != nil {
		return nil, err
	}
	return part, nil
}

var partEnd = []byte("\r\n")

// readContent makes the next piece of a file pending, or what ends the part.
func (s *Stream) readContent(limit int) error {
	if s.section != nil {
		if s.copied == nil {
			s.copied = make([]byte, readerSize)
		}
		n, err := s.section.Read(s.copied[:min(limit, readerSize)])
		if n > 0 {
			s.pending = s.copied[:n]
			return s.check(s.pending)
		}
		if err != io.EOF {
			return err
		}
		s.section = nil
	}
	if s.part.Content != nil {
		piece, err := s.upload.rest.fileContent(limit)
		if err == nil {
			s.pending, s.live = piece, true
			return s.check(piece)
		}
		if err != io.EOF {
			return err
		}
	}
	s.pending, s.step = partEnd, writeHead
	if s.scan != nil {
		return s.scan(nil, true)
	}
	return nil
}

// check looks at a piece of content before it is given out.
func (s *Stream) check(piece []byte) error {
	if s.scan != nil {
		if err := s.scan(piece, false); err != nil {
			return err
		}
	}
	return s.guard.check(piece)
}

// padding is what stands after the final boundary, where RFC 2046 section 5.1.1 has
// readers ignore everything.
var padding = makePadding()

func makePadding() []byte {
	p := make([]byte, 4096)
	for i := range p {
		p[i] = ' '
	}
	return p
}

func (s *Stream) pad() {
	missing := s.options.PadTo - s.written
	if missing <= 0 {
		s.step = writeNothing
		return
	}
	s.pending = padding[:min(missing, int64(len(padding)))]
}
