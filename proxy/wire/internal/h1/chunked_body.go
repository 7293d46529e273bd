package h1

import (
	"io"

	"github.com/byline-proxy/byline/proxy/wire"
)

// readChunks fills p from as many chunks as have arrived. It waits only for the
// first byte (RFC 9112 section 7.1).
func (b *Body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.Remaining > 0 && !b.needsCRLF {
			if (n > 0 || b.availableOnly) && b.Source.Empty() {
				return n, nil
			}
			m, err := b.readChunkData(p[n:])
			n += m
			if b.Remaining -= int64(m); b.Remaining == 0 {
				b.needsCRLF = true
			}
			if err != nil {
				return n, UnexpectedEOF(err)
			}
			continue
		}

		ended, incomplete, err := b.parseChunkBoundary()
		if err != nil {
			return n, err
		}
		if ended {
			return n, io.EOF
		}
		if incomplete {
			if n > 0 || b.availableOnly {
				return n, nil
			}
			if err := b.prepareWait(); err != nil {
				return n, err
			}
			if err := b.Source.Fill(); err != nil {
				return n, UnexpectedEOF(err)
			}
		}
	}
	return n, nil
}

// readChunkData reads bytes of the current chunk. A short remainder goes through the
// buffer of Source, so that the same read also gets the line that follows it.
func (b *Body) readChunkData(p []byte) (int, error) {
	if int64(len(p)) > b.Remaining {
		p = p[:b.Remaining]
	}
	if b.Source.Empty() && len(p) < ReaderSize {
		if err := b.prepareWait(); err != nil {
			return 0, err
		}
		if err := b.Source.Fill(); err != nil {
			return 0, err
		}
	}
	return b.readSource(p)
}

// parseChunkBoundary takes from the buffer what comes between the data of two
// chunks: a CR LF, and the line with the next size. ended reports the end of the
// body, incomplete that more bytes must arrive first.
func (b *Body) parseChunkBoundary() (ended, incomplete bool, err error) {
	in := b.Source.Buffered()

	if b.needsCRLF {
		if len(in) > 0 && in[0] != '\r' || len(in) > 1 && in[1] != '\n' {
			return false, false, wire.Ambiguous("a chunk is not followed by CR LF")
		}
		if len(in) < 2 {
			return false, true, nil
		}
		b.needsCRLF = false
		b.Source.Discard(2)
		in = in[2:]
	}

	if b.Remaining > 0 {
		return false, false, nil
	}
	size, lineLength, bad := parseChunkSize(in, b.SkipExtensions)
	switch {
	case bad != nil:
		return false, false, bad
	case lineLength == 0:
		return false, true, nil
	case size == 0:
		return b.parseTrailerSection(in, lineLength)
	}
	b.Source.Discard(lineLength)
	b.Remaining = size
	return false, false, nil
}

// parseTrailerSection takes the last chunk's line and the trailer section from the
// buffer. in begins with the line, which stays buffered until the section has
// arrived.
func (b *Body) parseTrailerSection(in []byte, lineLength int) (ended, incomplete bool, err error) {
	var scanner HeadScanner
	end, bad := scanner.scan(in[lineLength:], true)
	switch {
	case bad != nil:
		return false, false, bad
	case end > b.MaxTrailerBytes || end == 0 && len(in) > b.MaxTrailerBytes:
		return false, false, wire.TooLarge(431, "the trailer is too large")
	case end == 0:
		return false, true, nil
	}
	section := in[lineLength : lineLength+end]
	b.Source.Discard(lineLength + end)

	if len(section) == len("\r\n") {
		return true, false, nil
	}
	fields, bad := parseFields(string(section), nil, b.MaxTrailerFields)
	if bad != nil {
		return false, false, bad
	}
	for _, f := range fields {
		if ForbiddenInTrailer(f.Name) {
			return false, false, wire.Ambiguous("a field may not come after the body (RFC 9110 section 6.5.1)")
		}
		if b.AllowTrailer != nil && !b.AllowTrailer(f.Name) {
			return false, false, wire.Ambiguous("a field after the body was not announced in Trailer")
		}
	}
	b.trailer = fields
	return true, false, nil
}

// parseChunkSize reads the line before a chunk's data: hexadecimal digits and CR LF, and
// between them extensions, if these are skipped. lineLength is 0 if the line has not
// arrived completely.
func parseChunkSize(in []byte, skipExtensions bool) (size int64, lineLength int, bad *wire.Malformed) {
	const maxDigits = 15 // the size is positive as an int64

	for i, c := range in {
		switch {
		case c >= '0' && c <= '9':
			size = size<<4 | int64(c-'0')
		case c >= 'a' && c <= 'f':
			size = size<<4 | int64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			size = size<<4 | int64(c-'A'+10)
		case c == '\r' && i > 0:
			if i+1 == len(in) {
				return 0, 0, nil
			}
			if in[i+1] != '\n' {
				return 0, 0, wire.Ambiguous("a chunk's size does not end in CR LF")
			}
			return size, i + 2, nil
		case i > 0 && skipExtensions && (c == ';' || c == ' ' || c == '\t'):
			n, bad := extensionsLength(in[i:])
			if n == 0 || bad != nil {
				return 0, 0, bad
			}
			return size, i + n, nil
		case c == ';':
			return 0, 0, wire.Ambiguous("a chunk has an extension")
		default:
			return 0, 0, wire.Ambiguous("a chunk's size is not a hexadecimal number")
		}
		if i >= maxDigits {
			return 0, 0, wire.Ambiguous("a chunk's size is too large")
		}
	}
	return 0, 0, nil
}

// maxExtensions bounds the extensions of one chunk, in bytes.
const maxExtensions = 1 << 10

// extensionsLength returns the length of extensions with the CR LF after them, 0 if they
// have not arrived completely. Blanks may stand only before a semicolon.
func extensionsLength(in []byte) (int, *wire.Malformed) {
	first := 0
	for first < len(in) && (in[first] == ' ' || in[first] == '\t') {
		first++
	}
	if first < len(in) && in[first] != ';' {
		return 0, wire.Ambiguous("a chunk's size is followed by blanks")
	}

	for i := first; i < len(in); i++ {
		switch c := in[i]; {
		case i >= maxExtensions:
			return 0, wire.Ambiguous("the extensions of a chunk are too long")
		case c == '\r' && i+1 == len(in):
			return 0, nil
		case c == '\r' && in[i+1] == '\n':
			return i + 2, nil
		case c < ' ' && c != '\t' || c == 0x7f:
			return 0, wire.Ambiguous("an extension of a chunk has a control character")
		}
	}
	if len(in) >= maxExtensions {
		return 0, wire.Ambiguous("the extensions of a chunk are too long")
	}
	return 0, nil
}
