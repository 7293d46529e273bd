package body

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// MultipartOptions bounds [MultipartReader].
type MultipartOptions struct {
	MaxHeld  int64 // bytes of names and field values together, without files; 0 means DefaultMaxHeld
	MaxParts int   // 0 means DefaultMaxParts
	UTF8     bool  // refuse field values that are not UTF-8, as names that are not always are

	// Reserve, if not nil, is called before n more bytes are held, so that a
	// caller can keep a budget over many bodies. Its error ends the reading and
	// is returned as it is.
	Reserve func(n int) error
}

// Defaults and fixed bounds of multipart forms.
const (
	DefaultMaxHeld  = 4 << 20
	DefaultMaxParts = 1000

	maxPartHead     = 8 << 10
	maxOutsideParts = 16 << 10
	firstSize       = 4 << 10  // of the buffer, which is enough for small forms
	readerSize      = 64 << 10 // what it grows to; must be larger than maxPartHead and a delimiter together
)

var (
	errDelimiter    = fail(BadDelimiter, "a boundary line of the form has something after the boundary, or a part begins without an empty line: send the boundary and CR LF alone")
	errDelimiterLF  = fail(LineEnds, "a boundary line of the form ends in a bare LF: end lines in CR LF")
	errTruncated    = fail(Truncated, "the form ends before its final boundary: send it whole")
	errOutsideParts = fail(OutsideParts, "there is too much text before the first part of the form or after the last: leave it out")
	errLongHead     = fail(BadPartHead, "the header fields of a part of the form are longer than 8192 bytes: send shorter names")
	errManyParts    = fail(TooMany, "the form has more parts than servers read without dropping some: send fewer")
	errFieldsLarge  = fail(TooLarge, "the fields of the form are longer than can be held to decide about them (files do not count): send less at once, or send long texts as files")
	errEmptyFile    = fail(EmptyFileName, "a part of the form has content under an empty file name, which servers take for a field, a file or nothing: name the file")
)

// MultipartReader reads a multipart form (RFC 7578) part by part. It holds the
// fields, and streams the files. It is not safe for concurrent use.
type MultipartReader struct {
	src     io.Reader
	buf     []byte
	r, w    int   // buf[r:w] is read and not yet consumed
	safe    int   // buf[r:safe] is content, searched for the delimiter already
	found   bool  // the delimiter is at safe
	readErr error // what src returned last

	options   MultipartOptions
	charset   Charset
	delimiter []byte // CR LF "--" boundary

	needsASCII bool // a _charset_ field names a charset that agrees with UTF-8 on ASCII alone
	allASCII   bool

	held  int64
	parts int
	slack int // by how much canonical form at least shortens a part, under a boundary of the same length; negative if it grows
	state readerState
	part  Part // the one that Next returned last
	err   error

	scratch [256]byte
}

type readerState uint8

const (
	beforeFirst readerState = iota
	atDelimiter             // buf[r:] begins with the delimiter
	inFile                  // within the content of a file
	afterLast
)

// NewMultipartReader reads the form that t describes from src.
func NewMultipartReader(src io.Reader, t ContentType, o MultipartOptions) (*MultipartReader, error) {
	if !isBoundary(t.Boundary) {
		return nil, errBoundary
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = DefaultMaxHeld
	}
	if o.MaxParts <= 0 {
		o.MaxParts = DefaultMaxParts
	}

	m := &MultipartReader{src: src, buf: make([]byte, firstSize), options: o, charset: t.Charset, allASCII: true, slack: maxBoundary}
	m.delimiter = append(append(m.delimiter, "\r\n--"...), t.Boundary...)
	m.w = copy(m.buf, "\r\n") // so that the first delimiter is found like the others
	return m, nil
}

// Next returns the next part. It is valid until Next is called again, its Value for
// good. What the caller has not read of a file is skipped. At the end of the form,
// when nothing is left to read from the source, the error is io.EOF.
func (m *MultipartReader) Next() (*Part, error) {
	if m.err != nil {
		return nil, m.err
	}
	if err := m.next(); err != nil {
		m.err = err
		return nil, err
	}
	return &m.part, nil
}

func (m *MultipartReader) next() error {
	switch m.state {
	case beforeFirst:
		if err := m.skipContent(maxOutsideParts); err != nil {
			return err
		}
	case inFile:
		if err := m.skipContent(-1); err != nil {
			return err
		}
	}

	last, err := m.readDelimiter()
	if err != nil {
		return err
	}
	if last {
		return m.finish()
	}
	if m.parts++; m.parts > m.options.MaxParts {
		return errManyParts
	}
	return m.readPart()
}

// readDelimiter consumes a delimiter and what ends its line.
func (m *MultipartReader) readDelimiter() (last bool, err error) {
	m.r += len(m.delimiter)
	for m.w-m.r < 2 {
		if err := m.fill(); err != nil {
			return false, err
		}
	}

	end := m.buf[m.r : m.r+2]
	m.r += 2
	switch {
	case string(end) == "\r\n":
		return false, nil
	case string(end) == "--":
		return true, nil
	case end[0] == '\n':
		return false, errDelimiterLF
	}
	return false, errDelimiter
}

// finish consumes what follows the final delimiter.
func (m *MultipartReader) finish() error {
	m.state = afterLast
	if m.needsASCII && !m.allASCII {
		return errCharsetName
	}

	skipped := 0
	for {
		skipped += m.w - m.r
		m.r = m.w
		if skipped > maxOutsideParts {
			return errOutsideParts
		}
		err := m.fill()
		switch {
		case err == errTruncated:
			return io.EOF
		case err != nil:
			return err
		}
	}
}

func (m *MultipartReader) readPart() error {
	head, err := m.readHead()
	if err != nil {
		return err
	}
	part, charset, err := parsePartHead(head)
	if err != nil {
		return err
	}
	if err := m.hold(len(part.Name) + len(part.FileName) + len(part.Type)); err != nil {
		return err
	}
	m.allASCII = m.allASCII && isASCII(part.Name)
	if err := checkCharset(m.charset, part.Name); err != nil {
		return err
	}

	canonical := len(appendPartHead(m.scratch[:0], "", &part)) - len("--\r\n") - len("\r\n\r\n")
	m.slack = min(m.slack, len(head)-canonical)

	m.part = part
	switch part.Kind {
	case File:
		m.state = inFile
		m.part.Content = fileContent{m}
		return nil
	case NoFile:
		if err := m.skipContent(0); err != nil {
			if err == errOutsideParts {
				return errEmptyFile
			}
			return err
		}
		return nil
	}
	return m.readValue(charset)
}

// readHead returns the header lines of a part, each but the last with its CR LF, and
// consumes them and the empty line.
func (m *MultipartReader) readHead() (string, error) {
	for scanned := 0; ; {
		window := m.buf[m.r:m.w]
		if bytes.HasPrefix(window, []byte("\r\n")) {
			return "", errNoDisposition
		}
		if i := bytes.Index(window[scanned:], []byte("\r\n\r\n")); i >= 0 && scanned+i <= maxPartHead {
			head := string(window[:scanned+i])
			m.r += scanned + i + 4
			return head, nil
		}

		scanned = max(0, len(window)-3)
		if scanned > maxPartHead {
			if bytes.Contains(window, []byte("\n\n")) {
				return "", errPartLineEnds
			}
			return "", errLongHead
		}
		if err := m.fill(); err != nil {
			return "", err
		}
	}
}

// readValue holds the value of a field.
func (m *MultipartReader) readValue(charset Charset) error {
	var value []byte
	for {
		piece, last, err := m.content(readerSize)
		if err != nil {
			return err
		}
		if err := m.hold(len(piece)); err != nil {
			return err
		}
		value = append(value, piece...)
		if last {
			break
		}
	}
	m.state = atDelimiter
	m.part.Value = value

	m.allASCII = m.allASCII && isASCII(value)
	if m.options.UTF8 && !utf8.Valid(value) {
		return errPartUTF8
	}
	if err := checkCharset(charset, value); err != nil {
		return err
	}
	if err := checkCharset(m.charset, value); err != nil {
		return err
	}
	return m.noteCharsetField(value)
}

// noteCharsetField is about the field _charset_ (RFC 7578 section 4.6), by which some
// servers decode the others.
func (m *MultipartReader) noteCharsetField(value []byte) error {
	if !strings.EqualFold(m.part.Name, charsetField) {
		return nil
	}
	switch charsetOf(string(value)) {
	case charsetUnknown:
		return errCharsetName
	case CharsetASCII:
		m.needsASCII = true
	}
	return nil
}

// hold counts bytes that stay in memory.
func (m *MultipartReader) hold(n int) error {
	if m.held += int64(n); m.held > m.options.MaxHeld {
		return errFieldsLarge
	}
	if m.options.Reserve != nil && n > 0 {
		return m.options.Reserve(n)
	}
	return nil
}

// skipContent consumes content up to the next delimiter, at most limit bytes of it
// unless limit is negative.
func (m *MultipartReader) skipContent(limit int) error {
	for skipped := 0; ; {
		piece, last, err := m.content(readerSize)
		if err != nil {
			return err
		}
		if skipped += len(piece); limit >= 0 && skipped > limit {
			return errOutsideParts
		}
		if last {
			m.state = atDelimiter
			return nil
		}
	}
}

// content consumes the next piece of content, at most limit bytes, which is valid
// until the next read. If last is true the delimiter follows right after it.
func (m *MultipartReader) content(limit int) (piece []byte, last bool, err error) {
	for {
		if m.safe <= m.r && !m.found {
			m.search()
		}
		if m.safe > m.r || m.found {
			end := min(m.safe, m.r+limit)
			piece = m.buf[m.r:end]
			last = m.found && end == m.safe
			m.r = end
			m.found = m.found && !last
			return piece, last, nil
		}
		if err := m.fill(); err != nil {
			return nil, false, err
		}
	}
}

// search looks for the delimiter in buf[r:w]. The delimiter may begin in the last
// bytes of it, which therefore stay in doubt.
func (m *MultipartReader) search() {
	i := bytes.Index(m.buf[m.r:m.w], m.delimiter)
	if i >= 0 {
		m.safe, m.found = m.r+i, true
		return
	}
	m.safe = m.w - len(m.delimiter) + 1
}

// fill reads more into the buffer; a piece that was returned before is overwritten.
func (m *MultipartReader) fill() error {
	to := m.buf
	if m.w == len(m.buf) && len(m.buf) < readerSize {
		to = make([]byte, 4*len(m.buf)) // the source has more than fits
	}
	m.w = copy(to, m.buf[m.r:m.w])
	m.buf, m.r, m.safe = to, 0, 0

	for range 100 {
		if m.readErr != nil {
			if m.readErr == io.EOF {
				return errTruncated
			}
			return m.readErr
		}
		var n int
		n, m.readErr = m.src.Read(m.buf[m.w:])
		m.w += n
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// fileContent reads the content of the file that Next returned.
type fileContent struct{ m *MultipartReader }

// Read implements io.Reader.
func (f fileContent) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	piece, err := f.m.fileContent(len(p))
	return copy(p, piece), err
}

// WriteTo implements io.WriterTo, which saves io.Copy one copy.
func (f fileContent) WriteTo(w io.Writer) (written int64, err error) {
	for {
		piece, err := f.m.fileContent(readerSize)
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(piece)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// fileContent consumes up to n bytes of the current file; at its end the error is io.EOF.
func (m *MultipartReader) fileContent(n int) ([]byte, error) {
	for m.state == inFile {
		if m.err != nil {
			return nil, m.err
		}
		piece, last, err := m.content(n)
		if err != nil {
			m.err = err
			return nil, err
		}
		if last {
			m.state = atDelimiter
		}
		if len(piece) > 0 {
			return piece, nil
		}
	}
	return nil, io.EOF
}
