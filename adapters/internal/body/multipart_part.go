package body

import (
	"io"
	"strings"
	"unicode/utf8"
)

// PartKind says what a part of a form is to the servers that read it.
type PartKind uint8

const (
	// Field is a part without a file name and without a media type. Every
	// server reads it as a field of the form.
	Field PartKind = iota + 1

	// TypedField is a part without a file name, but with a media type that is
	// not text/plain. Most servers read a field; formidable reads a file.
	TypedField

	// File is a part with a file name. Every server keeps it apart from the
	// fields. (Python's cgi.FieldStorage keeps it apart only for programs that
	// ask; getvalue returns its content too.)
	File

	// NoFile is what browsers send for a file input in which no file was
	// chosen: an empty file name and no content. PHP, multer and Rack read that
	// there is no file, Django, Tornado, Go and CGI.pm an empty field, others an
	// empty file.
	NoFile
)

// Part is one part of a multipart form. Only a Field can decide anything: a
// caller that decides by a name refuses a form in which a part of another kind
// bears it.
type Part struct {
	Kind     PartKind
	Name     string
	FileName string
	Type     string    // media type without parameters; "" for a Field
	Value    []byte    // of a Field or TypedField; of a File what an Upload holds of it
	Content  io.Reader // of a File, as far as Value does not hold it; valid until the next part is read

	spool *spooled // of a File after Upload.Spool; then Content is nil
}

var (
	errPartHead       = fail(BadPartHead, "a part of the form has a malformed header: send lines of name: value that end in CR LF, unfolded")
	errPartLineEnds   = fail(LineEnds, "a line in the head of a part ends in a bare LF or CR: end lines in CR LF")
	errPartTwice      = fail(DuplicateField, "a part of the form has a header field twice: send each once")
	errNoDisposition  = fail(NoDisposition, "a part of the form has no Content-Disposition of form-data")
	errDisposition    = fail(BadDisposition, `a Content-Disposition is not of the form: form-data; name="x"; filename="y"`)
	errDispositionTwo = fail(DuplicateParameter, "a Content-Disposition has a parameter twice: send each once")
	errUnknownParam   = fail(UnknownParameter, "a Content-Disposition has a parameter other than name and filename, which some servers take for one of them: leave it out")
	errExtendedName   = fail(ExtendedName, "a part of the form has name*=, which some servers read and others do not: send name=")
	errNameEscape     = fail(NameEscape, "a name in the form has white space at an end or holds a backslash, a double quote, a line end or a semicolon, which servers read in different ways: rename the field")
	errFileNameEscape = fail(NameEscape, "a file name in the form holds a backslash, a double quote or something like ;name=, which servers read in different ways: rename the file")
	errPartName       = fail(EmptyName, "a part of the form has no name, or none before its first bracket, which servers read in different ways: name it")
	errPartUTF8       = fail(InvalidUTF8, "a name or value in the form is not valid UTF-8: send UTF-8")
	errPartNUL        = fail(NUL, "a name or value in the form holds a NUL byte, at which some servers end it: leave it out")
	errFileName       = fail(BadFileName, "a filename*= cannot be decoded: send filename*=utf-8''name, percent-encoded, or filename= alone")
	errTransfer       = fail(TransferEncoding, "a part of the form has a Content-Transfer-Encoding or Content-Encoding that changes its content: send it as it is")
	errNested         = fail(NestedMultipart, "a part of the form is itself a form, which some servers unpack: send its fields as parts of the one form")
	errPartCharset    = fail(WrongCharset, "a part of the form names a charset that cannot be read in one way only: send UTF-8")
)

// partHead is a part's header fields while they are read.
type partHead struct {
	disposition, contentType     string
	hasDisposition, hasType      bool
	name, fileName, extendedName string
	hasName, hasFile, hasExtFile bool
	charset                      Charset
}

// parsePartHead reads the header lines of a part, without the empty line after
// them, into a part without a value. Header fields other than Content-Disposition
// and Content-Type are dropped (RFC 7578 section 4.8), unless they say that the
// content is to be decoded.
func parsePartHead(head string) (p Part, charset Charset, err error) {
	var h partHead
	for head != "" {
		var line string
		line, head, _ = strings.Cut(head, "\r\n")
		if err := h.addLine(line); err != nil {
			return Part{}, 0, err
		}
	}

	if !h.hasDisposition {
		return Part{}, 0, errNoDisposition
	}
	if err := h.readDisposition(); err != nil {
		return Part{}, 0, err
	}
	if p.FileName, err = h.chooseFileName(); err != nil {
		return Part{}, 0, err
	}
	if p.Type, err = h.readType(); err != nil {
		return Part{}, 0, err
	}

	// Copies, because the part outlives the head, of which all else is dropped.
	p.Name, p.FileName, p.Type = strings.Clone(h.name), strings.Clone(p.FileName), strings.Clone(p.Type)
	isFile := h.hasFile || h.hasExtFile
	if h.charset == charsetUnknown && !isFile {
		return Part{}, 0, errPartCharset
	}

	switch {
	case isFile:
		p.Kind = File
		if p.FileName == "" {
			p.Kind = NoFile // unless content follows, which is an error
		}
		if p.Type == "" || p.Kind == NoFile {
			p.Type = octetStream // formidable takes a file without a type for a field
		}
		h.charset = CharsetUnstated // that of the file's content, which nothing here reads
	case p.Type == "" || p.Type == "text/plain" || p.Type == octetStream:
		p.Kind = Field
		p.Type = "" // formidable takes a field with a type for a file, busboy one of this type
	default:
		p.Kind = TypedField
	}
	return p, h.charset, nil
}

const octetStream = "application/octet-stream"

func (h *partHead) addLine(line string) error {
	if strings.ContainsAny(line, "\r\n") {
		return errPartLineEnds
	}
	name, value, found := strings.Cut(line, ":")
	if !found || !isToken(name) {
		return errPartHead // also a folded line, which begins with a blank
	}
	value = trimOWS(value)
	for i := 0; i < len(value); i++ {
		if value[i] == 0 {
			return errPartNUL
		}
		if value[i] < ' ' && value[i] != '\t' || value[i] == 0x7f {
			return errPartHead
		}
	}

	switch strings.ToLower(name) {
	case "content-disposition":
		if h.hasDisposition {
			return errPartTwice
		}
		h.disposition, h.hasDisposition = value, true

	case "content-type":
		if h.hasType {
			return errPartTwice
		}
		h.contentType, h.hasType = value, true

	case "content-transfer-encoding":
		switch strings.ToLower(value) {
		case "7bit", "8bit", "binary":
		default:
			return errTransfer
		}

	case "content-encoding":
		if !strings.EqualFold(value, "identity") {
			return errTransfer
		}
	}
	return nil
}

// readDisposition reads name, filename and filename*. Browsers write texts in
// double quotes with %22, %0D and %0A for what would end them, and no other
// escape; .NET writes tokens without quotes.
func (h *partHead) readDisposition() error {
	kind, rest, _ := strings.Cut(h.disposition, ";")
	if !strings.EqualFold(trimOWS(kind), "form-data") {
		return errNoDisposition
	}

	for rest = trimOWS(rest); rest != ""; {
		n := tokenLength(rest)
		if n == 0 || n == len(rest) || rest[n] != '=' {
			return errDisposition
		}
		param, after := strings.ToLower(rest[:n]), rest[n+1:]
		value, after, err := cutDispositionValue(after)
		if err != nil {
			return err
		}

		switch param {
		case "name":
			if h.hasName {
				return errDispositionTwo
			}
			h.name, h.hasName = value, true
		case "filename":
			if h.hasFile {
				return errDispositionTwo
			}
			h.fileName, h.hasFile = value, true
		case "filename*":
			if h.hasExtFile {
				return errDispositionTwo
			}
			h.extendedName, h.hasExtFile = value, true
		case "name*":
			return errExtendedName
		default:
			return errUnknownParam
		}

		after = trimOWS(after)
		if after == "" {
			break
		}
		if after[0] != ';' {
			return errDisposition
		}
		rest = trimOWS(after[1:])
	}

	if h.name == "" || beginsWithBracket(h.name) {
		return errPartName
	}
	if !utf8.ValidString(h.name) || !utf8.ValidString(h.fileName) {
		return errPartUTF8 // Tornado refuses the form, Werkzeug loses all its fields
	}
	if !isClearName(h.name) {
		return errNameEscape
	}
	if !isClearFileName(h.fileName) {
		return errFileNameEscape
	}
	return nil
}

// isClearName reports whether all servers read a name between double quotes as it is.
// Some of them decode the escapes that browsers write for a quote and a line end
// (multer, the Fetch standard), and some find a filename= after a semicolon inside the
// quotes (formidable, multiparty). Django and Tomcat trim the name.
func isClearName(name string) bool {
	if name != strings.TrimSpace(name) || strings.ContainsAny(name, "\\\";\r\n") {
		return false
	}
	for rest := name; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return true
		}
		if len(after) >= 2 && (after[:2] == "22" || after[0] == '0' && (after[1]|0x20 == 'a' || after[1]|0x20 == 'd')) {
			return false
		}
		rest = after
	}
}

// isClearFileName reports whether all servers read a file name between double quotes
// as nothing but a file name. Rack finds the part's name after the last "; name=" of
// the line, inside the quotes, too.
func isClearFileName(name string) bool {
	if strings.ContainsAny(name, "\\\"\r\n") {
		return false
	}
	for rest := strings.ToLower(name); ; {
		_, after, found := strings.Cut(rest, ";")
		if !found {
			return true
		}
		rest = strings.TrimLeft(after, " \t")
		if strings.HasPrefix(rest, "name") || strings.HasPrefix(rest, "filename") {
			return false
		}
	}
}

// cutDispositionValue reads a token or a quoted text as browsers write it: from one
// double quote to the next. A backslash is refused: browsers write it as itself,
// curl and others before a quote, and servers read it either way.
func cutDispositionValue(s string) (value, rest string, err error) {
	if s == "" {
		return "", "", errDisposition
	}
	if s[0] != '"' {
		n := tokenLength(s)
		for n < len(s) && s[n] >= 0x80 {
			n += 1 + tokenLength(s[n+1:]) // clients that quote nothing write UTF-8 unquoted, too
		}
		if n == 0 {
			return "", "", errDisposition
		}
		return s[:n], s[n:], nil
	}

	end := strings.IndexByte(s[1:], '"') + 1
	if end == 0 {
		return "", "", errDisposition
	}
	value = s[1:end]
	if strings.IndexByte(value, '\\') >= 0 {
		return "", "", errNameEscape
	}
	return value, s[end+1:], nil
}

// chooseFileName returns the file's name. Where filename and filename* stand side by
// side (.NET), filename is what most form parsers read. If it is only an RFC 2047
// encoding of the name, which no form parser decodes, filename* is the name.
func (h *partHead) chooseFileName() (string, error) {
	if !h.hasExtFile {
		return h.fileName, nil
	}
	decoded, err := decodeExtendedValue(h.extendedName)
	if err != nil {
		return "", err
	}
	encodedWord := strings.HasPrefix(h.fileName, "=?") && strings.HasSuffix(h.fileName, "?=")
	if h.hasFile && !encodedWord {
		return h.fileName, nil
	}
	return decoded, nil
}

// decodeExtendedValue decodes the ext-value of RFC 8187 in UTF-8.
func decodeExtendedValue(s string) (string, error) {
	charset, rest, _ := strings.Cut(s, "'")
	_, raw, ok := strings.Cut(rest, "'")
	if !ok || !strings.EqualFold(charset, "utf-8") {
		return "", errFileName
	}

	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "", errFileName
			}
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		if c < ' ' || c == 0x7f {
			return "", errFileName
		}
		out = append(out, c)
	}
	if len(out) == 0 || !utf8.Valid(out) {
		return "", errFileName
	}
	if !isClearFileName(string(out)) {
		return "", errFileNameEscape
	}
	return string(out), nil
}

// readType returns the media type of the part, without parameters.
func (h *partHead) readType() (string, error) {
	if !h.hasType {
		return "", nil
	}
	t, err := parseContentType(h.contentType)
	if strings.HasPrefix(t.Media, "multipart/") || KindOf(err) == BadBoundary {
		return "", errNested
	}
	if err != nil {
		return "", errPartHead
	}
	if t.Media == FormType {
		return "", errNested // Python's cgi reads the fields in it
	}
	h.charset = t.Charset
	return t.Media, nil
}

// appendPartHead appends the delimiter and the head of a part in the one spelling
// that the WHATWG form algorithm gives them. That algorithm escapes double quotes and
// line ends, which clear names do not have.
func appendPartHead(dst []byte, boundary string, p *Part) []byte {
	dst = append(dst, "--"...)
	dst = append(dst, boundary...)
	dst = append(dst, "\r\nContent-Disposition: form-data; name=\""...)
	dst = append(dst, p.Name...)
	dst = append(dst, '"')
	if p.Kind == File || p.Kind == NoFile {
		dst = append(dst, "; filename=\""...)
		dst = append(dst, p.FileName...)
		dst = append(dst, '"')
	}
	if p.Type != "" {
		dst = append(dst, "\r\nContent-Type: "...)
		dst = append(dst, p.Type...)
	}
	return append(dst, "\r\n\r\n"...)
}
