package body

import (
	"bytes"
	"strings"
	"unicode"
)

// partScan finds the parts of a multipart body of whatever subtype. A line that begins with "--"
// and a boundary ends a part, with CR LF before it or a bare LF; so does that of a body that it
// is nested in.
type partScan struct {
	owner     *ContentScanner
	boundary  []byte // with the dashes; empty until the first line has come
	isGuess   bool   // boundary is the first line, which may begin something else
	state     partState
	line      []byte // the beginning of a line that has not ended
	lineStart bool

	head    partFields
	content *ContentScanner
	value   []byte
	isCut   bool // the part was reported before its end

	stillHead bool // the head ended with a line that some readers do not take for its end
}

type partState uint8

const (
	beforeParts partState = iota
	inPartHead
	inPart
	noParts // a guess was wrong
)

// partFields are what the head of a part says.
type partFields struct {
	names   []string // under which readers keep the part
	t       ContentType
	count   int
	isInner bool // the head of the request that the part holds

	hasBareLF bool // of a line; some readers know no other line end than CR LF
}

// Bounds of the head of a part: its header lines, and the names in them.
const (
	maxPartFields = 64
	maxPartNames  = 64
)

var (
	errHiddenPart  = fail(TransferEncoding, "a part of the body has a Content-Transfer-Encoding in which it cannot be read: send it as it is")
	errPartsDeep   = fail(TooDeep, "the parts of the body are nested too deep")
	errPartsHead   = fail(BadPartHead, "a part of the body has a longer head than servers read")
	errPartsNested = fail(NestedMultipart, "a part of the body is a multipart body without a boundary")
)

// newPartScan scans a body with that boundary, or with the one that its first line shows.
func newPartScan(owner *ContentScanner, boundary string) *partScan {
	m := &partScan{owner: owner, lineStart: true, isGuess: boundary == ""}
	if boundary != "" {
		m.boundary = []byte("--" + boundary)
	}
	return m
}

func (m *partScan) write(p []byte) {
	for len(p) > 0 && m.owner.fault == nil && m.state != noParts {
		n := bytes.IndexByte(p, '\n')
		piece, ended := p, false
		if n >= 0 {
			piece, ended = p[:n+1], true
		}
		p = p[len(piece):]
		m.addToLine(piece, ended)
	}
}

// addToLine keeps the beginning of a line as long as it may be a boundary or is one of a head.
// Other text goes on to the part.
func (m *partScan) addToLine(piece []byte, ended bool) {
	if !m.lineStart {
		m.addContent(piece)
		m.lineStart = ended
		return
	}

	m.line = append(m.line, piece...)
	if !ended && len(m.line) <= maxScannedLine && (m.state == inPartHead || m.mayBeBoundary() || m.stillHead || beginsDisposition(m.line)) {
		return
	}
	m.endLine(ended)
}

func (m *partScan) mayBeBoundary() bool {
	if len(m.boundary) == 0 {
		return len(m.line) <= maxBoundary+4
	}
	n := min(len(m.line), len(m.boundary))
	return bytes.Equal(m.line[:n], m.boundary[:n]) && len(m.line) <= len(m.boundary)+maxBoundary
}

func (m *partScan) endLine(ended bool) {
	line := m.line
	m.line, m.lineStart = m.line[:0], ended
	switch {
	case m.isBoundary(line):
		m.endPart()
		m.state, m.head = inPartHead, partFields{names: dispositionNames(string(line))}
		m.lineStart = true
	case m.state == inPartHead && len(bytes.TrimRight(line, "\r\n")) == 0:
		m.stillHead = m.head.count == 0 || m.head.hasBareLF || !bytes.HasSuffix(line, []byte("\r\n"))
		m.beginPart()
	case m.state == inPartHead:
		m.head.hasBareLF = m.head.hasBareLF || !bytes.HasSuffix(line, []byte("\r\n"))
		m.addField(string(bytes.TrimRight(line, "\r\n")), ended)
	default:
		if m.stillHead || beginsDisposition(line) { // Rack finds it after an empty line, too
			m.addNames(string(line))
		}
		if m.stillHead {
			m.stillHead = len(bytes.TrimRight(line, "\r\n")) > 0
		}
		m.addContent(line)
	}
}

func (m *partScan) isBoundary(line []byte) bool {
	if len(m.boundary) == 0 {
		if !bytes.HasPrefix(line, []byte("--")) {
			return false
		}
		m.boundary = bytes.Clone(bytes.TrimRight(line, " \t\r\n"))
		return len(m.boundary) > 2
	}
	return bytes.HasPrefix(line, m.boundary)
}

// beginsDisposition reports a line that is, or may become, a Content-Disposition.
func beginsDisposition(line []byte) bool {
	const field = "content-disposition"
	n := min(len(line), len(field))
	return n > 0 && strings.EqualFold(string(line[:n]), field[:n])
}

// addField reads a line of a part's head. The line may be that of a request within the part.
func (m *partScan) addField(line string, ended bool) {
	m.head.count++
	name, value, found := strings.Cut(line, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	isTooLong := !ended && len(line) >= maxScannedLine || m.head.count > maxPartFields
	switch {
	case m.isGuess && (isTooLong || !found || !isToken(name)):
		m.state = noParts
		return
	case isTooLong:
		m.owner.refuse(errPartsHead)
		return
	}

	for piece := range strings.SplitSeq(line, "\r") { // some readers find it in any line, and end lines there
		m.addNames(piece)
	}
	switch strings.ToLower(name) {
	case "content-disposition": // read below
	case "content-id": // Rack takes it for a name
		m.head.names = append(m.head.names, strings.Trim(value, "<>"))
	case "content-type":
		t, err := parseContentType(value)
		m.head.t = t
		if err != nil && strings.HasPrefix(strings.ToLower(value), "multipart/") {
			m.owner.refuse(errPartsNested)
		}
		if t.Charset == charsetUnknown {
			m.owner.refuse(errHiddenCharset)
		}
	case "content-transfer-encoding":
		switch strings.ToLower(value) {
		case "7bit", "8bit", "binary":
		default:
			m.owner.refuse(errHiddenPart)
		}
	default:
		if value != "" {
			m.owner.report(Finding{Name: name, Value: value, Reader: ReadsMultipart})
		}
	}
}

// addNames adds the names in a line.
func (m *partScan) addNames(line string) {
	m.head.names = append(m.head.names, dispositionNames(line)...)
	if len(m.head.names) > maxPartNames {
		m.head.names = m.head.names[:maxPartNames]
		m.owner.refuse(errPartsHead)
	}
}

// dispositionNames are all texts in a Content-Disposition that a reader may take for a name.
func dispositionNames(value string) (names []string) {
	for piece := range strings.SplitSeq(value, ";") {
		param, text, found := strings.Cut(piece, "=")
		param = strings.ToLower(strings.TrimSpace(param))
		if !found || !strings.HasPrefix(param, "name") && !strings.HasPrefix(param, "filename") {
			continue
		}
		if strings.HasSuffix(param, "*") {
			text = text[strings.LastIndexByte(text, '\'')+1:]
			text = decodeLoosely([]byte(text))
		}
		text = unquoteParameter(text)
		names = append(names, text)
		if n := tokenLength(text); n > 0 && n < len(text) {
			names = append(names, text[:n]) // which is all that some take of it
		}
	}
	return names
}

// unquoteParameter is the text of a parameter as lenient readers read it.
func unquoteParameter(text string) string {
	isBlank := func(c rune) bool { return c <= ' ' || unicode.IsSpace(c) }
	text = strings.TrimFunc(text, isBlank)
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		text, _, _ = strings.Cut(quoted, `"`)
	}
	return strings.TrimFunc(text, isBlank)
}

func (m *partScan) beginPart() {
	if m.owner.depth == maxPartsDepth {
		m.owner.refuse(errPartsDeep)
		return
	}
	if m.head.t.Media == "application/http" && !m.head.isInner {
		m.head.isInner, m.head.count = true, 0 // its request line and fields come next
		return
	}
	m.state, m.value, m.isCut = inPart, m.value[:0], false
	m.content = NewContentScanner(m.head.t, m.owner.given, m.owner.report, m.owner.suspect)
	m.content.depth = m.owner.depth + 1
}

func (m *partScan) addContent(p []byte) {
	if m.state != inPart {
		return
	}
	room := maxScannedValue - len(m.value)
	m.value = append(m.value, p[:min(len(p), room)]...)
	if len(p) >= room && !m.isCut {
		m.isCut = true
		m.reportPart()
	}
	if _, err := m.content.Write(p); err != nil {
		m.owner.refuse(err.(*Error))
	}
}

// endPart reports the part as the value of its names.
func (m *partScan) endPart() {
	switch m.state {
	case inPartHead: // without an end; some readers find it in a line that is almost empty
		for _, name := range m.head.names {
			m.owner.report(Finding{Name: name, Value: "x", Reader: ReadsMultipart})
		}
		return
	case inPart:
	default:
		return
	}
	m.stillHead = false
	if err := m.content.Close(); err != nil {
		m.owner.refuse(err.(*Error))
	}
	if !m.isCut {
		m.reportPart()
	}
}

func (m *partScan) reportPart() {
	value := bytes.TrimRight(m.value, "\r\n")
	if len(value) == 0 {
		return
	}
	for _, name := range m.head.names {
		m.owner.report(Finding{Name: name, Value: string(value), Reader: ReadsMultipart})
	}
}

// pending is the length of the part that has not ended.
func (m *partScan) pending() int {
	if m.state == noParts {
		return 0
	}
	n := 0
	if m.state == inPart {
		n = m.content.Pending()
		if !m.isCut && len(m.head.names) > 0 {
			n = max(n, len(m.value))
		}
	}
	return n + len(m.line)
}

func (m *partScan) close() {
	if len(m.line) > 0 {
		m.endLine(false)
	}
	m.endPart()
	m.state = beforeParts
}
