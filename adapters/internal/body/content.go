package body

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Finding is a name with a value that some reader may find in a body.
type Finding struct {
	Name, Value string // decoded; a long value is cut
	Parent      string // the key under which the object stands that has the name as a key; "" for other formats
	Reader      Reader

	isWeak bool // the name stands without quotes in what is almost JSON: does not count in binary content
}

// Reader is the format in which a reader finds a name.
type Reader uint8

// The formats that a [ContentScanner] looks for.
const (
	ReadsForm Reader = iota + 1
	ReadsJSON
	ReadsXML
	ReadsYAML
	ReadsMultipart
	ReadsToken // a token, which has no name
	ReadsWhole // all of a short body, which has no name
)

// ContentScanner looks for names and values in a body of which the media type does not say
// how it is read: many applications take what they get for JSON or a form without a look at
// its type. It reports what any of these readers may find:
//
//   - pairs between "&", and between ";" or line ends as long as all of the body consists of pairs;
//   - keys of JSON that begins with { or [, also one value after another. As long as all
//     tokens are those of JSON, all readers agree on them. From the first other token on
//     (a comment, a single quote, a word), every word before a colon counts as a key, as it
//     does in a GraphQL document;
//   - elements and attributes, wherever they stand;
//   - keys of YAML as long as all lines are those of a YAML mapping or list;
//   - parts of a multipart body, by its Content-Type or by its first line, and what these
//     readers find in each part;
//   - tokens, wherever they stand in text.
//
// UTF-16 and UTF-32 are read by their ASCII characters. A scanner works in linear time and
// holds some KiB, whatever is written to it. It never keeps what was written.
//
// A value is reported as soon as it is complete. Until then Pending says how many of the bytes
// written last may belong to a finding, so that a body that is passed on piece by piece can be
// broken off before a reader has any of the value.
type ContentScanner struct {
	report  func(Finding)
	suspect func(Finding) bool
	depth   int // of parts within parts

	start   [4]byte // the first bytes, until the width of characters is known
	started int
	begun   bool
	wide    bool // NULs between ASCII characters are dropped
	narrow  []byte

	// isBinary is set by a byte that no text has. What is found in such a body counts if it is
	// text itself, so that chance finds nothing in compressed content.
	isBinary bool
	rest     []byte // the beginning of a character, after which a piece ended

	lead  []byte // from the first byte that is not white space, until it is known what the text may be
	typed bool   // lead was looked at

	indent int // of lead within its line

	form  formScan
	lines formScan
	json  *jsonScan
	xml   xmlScan
	yaml  *yamlScan
	parts *partScan

	given  Tokens // by the caller, for parts
	tokens *tokenScan
	whole  []byte // the body, as long as it is short

	isDocument bool // of GraphQL, by the type

	fault *Error // why the body cannot be judged
}

// Bounds of what a scanner holds.
const (
	maxScannedName  = 256
	maxScannedValue = 4 << 10
	maxScannedDepth = 64
	maxPartsDepth   = 4

	maxScannedDocument = 64 << 10
)

// NewContentScanner returns a scanner of a body with that Content-Type, which calls report for
// every name and token that it finds. suspect says whether a finding matters to the caller: of
// YAML, in which a later line may show that it is prose, only such findings are kept.
func NewContentScanner(t ContentType, tokens Tokens, report func(Finding), suspect func(Finding) bool) *ContentScanner {
	s := &ContentScanner{suspect: suspect}
	s.report = func(f Finding) {
		if !s.isBinary || !f.isWeak && f.Name != "" && isTypedText(f.Name) && utf8.ValidString(f.Name) && isTypedText(f.Value) {
			report(f)
		}
	}
	s.form = formScan{report: s.report, isPlain: true}
	s.lines = formScan{report: s.report, ofLines: true}
	s.given, s.tokens = tokens, newTokenScan(tokens, s.report)
	s.isDocument = t.Media == "application/graphql"
	if t.Boundary != "" {
		s.parts = newPartScan(s, t.Boundary)
	}
	return s
}

// Write scans the next piece of the body. The error is an *[Error] for a body that hides what
// is in it; later calls return it again.
func (s *ContentScanner) Write(p []byte) (int, error) {
	n := len(p)
	for !s.begun && len(p) > 0 {
		s.start[s.started] = p[0]
		s.started++
		p = p[1:]
		if s.isStartEnough() {
			s.begin()
		}
	}
	if s.begun && len(p) > 0 {
		s.write(p)
	}
	if s.fault != nil {
		return 0, s.fault
	}
	return n, nil
}

// Close ends the body.
func (s *ContentScanner) Close() error {
	if !s.begun {
		s.begin()
	}
	if !s.typed {
		s.chooseReaders()
	}

	s.form.close()
	s.lines.close()
	if s.json != nil {
		s.json.close()
	}
	s.xml.close()
	if s.yaml != nil {
		s.yaml.close()
	}
	if s.parts != nil {
		s.parts.close()
	}
	s.closeText()
	if s.fault != nil {
		return s.fault
	}
	return nil
}

// closeText ends what was read as text without a structure.
func (s *ContentScanner) closeText() {
	s.tokens.end()
	text := bytes.TrimSpace(s.whole)
	if len(text) > 0 && len(s.whole) < maxScannedValue {
		s.report(Finding{Value: string(text), Reader: ReadsWhole})
	}
}

// isStartEnough reports whether begin can tell the width of characters. Most texts show it by
// their second byte.
func (s *ContentScanner) isStartEnough() bool {
	if s.started < 2 {
		return false
	}
	return s.started == len(s.start) || s.start[0] != 0 && s.start[1] != 0 && s.start[0] != 0xef
}

// begin finds the width of characters by the first bytes (RFC 4627 section 3), and writes
// them.
func (s *ContentScanner) begin() {
	s.begun = true
	first := s.start[:s.started]
	if rest, ok := bytes.CutPrefix(first, []byte("\xef\xbb\xbf")); ok {
		first = rest
	}
	if len(first) >= 2 && (first[0] == 0 || first[1] == 0 || first[0] == 0xff && first[1] == 0xfe || first[0] == 0xfe && first[1] == 0xff) {
		s.wide = true
	}
	if len(first) > 0 {
		s.write(first)
	}
}

// write scans a piece after the width of characters is known.
func (s *ContentScanner) write(p []byte) {
	if s.wide {
		s.narrow = appendNarrow(s.narrow[:0], p)
		p = s.narrow
	}

	s.noteBinary(p)
	s.feedTyped(p)
	if !s.isBinary {
		s.tokens.write(p) // last, so that a token in a value is reported after the value
		s.whole = append(s.whole, p[:min(len(p), maxScannedValue-len(s.whole))]...)
	}
}

// feedTyped feeds the readers of names once the first bytes have shown which ones to feed.
func (s *ContentScanner) feedTyped(p []byte) {
	if !s.typed {
		for len(p) > 0 && !s.isLeadEnough() {
			c := p[0]
			p = p[1:]
			if len(s.lead) > 0 || c > ' ' && c < 0x80 { // some readers skip white space beyond ASCII
				s.lead = append(s.lead, c)
			} else {
				s.indent++
				if c == '\n' || c == '\r' {
					s.indent = 0
				}
				s.form.write([]byte{c})
				s.lines.write([]byte{c})
			}
		}
		if !s.isLeadEnough() {
			return
		}
		s.chooseReaders()
	}
	s.feed(p)
}

// appendNarrow appends to dst the bytes of wide characters that count: neither NUL nor of a
// byte order mark. Bodies can have long runs of NUL, such as disk images and padding.
func appendNarrow(dst, p []byte) []byte {
	for len(p) > 0 {
		if len(p) >= 8 && binary.LittleEndian.Uint64(p) == 0 {
			p = p[8:]
			continue
		}
		some := p[:min(len(p), 8)]
		p = p[len(some):]
		for _, c := range some {
			if c != 0 && c < 0xfe {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// noteBinary sets isBinary.
func (s *ContentScanner) noteBinary(p []byte) {
	if s.isBinary {
		return
	}
	if len(s.rest) > 0 {
		n := min(utf8.UTFMax-len(s.rest), len(p))
		joined := append(s.rest, p[:n]...)
		_, size := utf8.DecodeRune(joined)
		switch {
		case size > len(s.rest):
			p = p[size-len(s.rest):]
			s.rest = s.rest[:0]
		case !utf8.FullRune(joined):
			s.rest = joined
			return
		default:
			s.isBinary = true
			return
		}
	}

	for i := max(0, len(p)-utf8.UTFMax+1); i < len(p); i++ {
		if utf8.RuneStart(p[i]) && !utf8.FullRune(p[i:]) {
			s.rest = append(s.rest, p[i:]...)
			p = p[:i]
			break
		}
	}
	s.isBinary = bytes.IndexByte(p, 0) >= 0 || !utf8.Valid(p)
}

// isTypedText reports text without control characters but white space, in UTF-8 or of ASCII
// for the most part. Control characters at an end do not count, because applications trim them.
func isTypedText(text string) bool {
	text = strings.TrimFunc(text, func(c rune) bool { return c <= ' ' })
	beyond := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f:
			return false
		case c >= 0x80:
			beyond++
		}
	}
	return text != "" && (2*beyond <= len(text) || utf8.ValidString(text))
}

// Pending returns how many of the last bytes may belong to a finding that is not complete.
func (s *ContentScanner) Pending() int {
	if !s.typed {
		return 0 // too little for a value
	}

	n := max(s.form.pending(), s.lines.pending())
	if !s.isBinary {
		n = max(n, s.tokens.pending())
	}
	if s.json != nil {
		n = max(n, s.json.pending())
	}
	n = max(n, s.xml.pending())
	if s.yaml != nil {
		n = max(n, s.yaml.pending())
	}
	if s.parts != nil {
		n = max(n, s.parts.pending())
	}
	if s.wide {
		n *= 4 // with the NULs
	}
	return n
}

func (s *ContentScanner) feed(p []byte) {
	if len(p) == 0 {
		return
	}
	s.form.write(p)
	s.lines.write(p)
	if s.json != nil {
		s.json.write(p)
	}
	s.xml.write(p)
	if s.yaml != nil {
		s.yaml.write(p)
	}
	if s.parts != nil {
		s.parts.write(p)
	}
}

// isLeadEnough reports whether chooseReaders can tell the formats apart.
func (s *ContentScanner) isLeadEnough() bool {
	if len(s.lead) == 0 {
		return false
	}
	switch s.lead[0] {
	case '-', '/':
		return len(s.lead) >= len("--")
	case ')':
		return len(s.lead) >= len(")]}")
	case 'q', 'm', 's', 'f':
		last := s.lead[len(s.lead)-1]
		return !isAlphanumeric(last) || len(s.lead) > len("subscription")
	}
	return true
}

// beginsDocument reports a text that begins as a GraphQL document does.
func beginsDocument(lead string) bool {
	word := lead[:tokenLength(lead)]
	return word != lead && (word == "query" || word == "mutation" || word == "subscription" || word == "fragment")
}

// chooseReaders goes by the first characters, and feeds them.
func (s *ContentScanner) chooseReaders() {
	s.typed = true
	lead := string(s.lead)
	switch {
	case lead == "":
		return
	case !s.isDocument && (lead[0] == '{' || lead[0] == '['):
		s.json = &jsonScan{report: s.report}
	case s.isDocument || beginsDocument(lead) || strings.HasPrefix(lead, "//") || strings.HasPrefix(lead, "/*") || strings.HasPrefix(lead, ")]}"):
		s.json = &jsonScan{report: s.report, isLoose: true, loose: looseScan{isQuiet: true}}
	default:
		s.yaml = &yamlScan{report: s.report, suspect: s.suspect}
		s.yaml.write(bytes.Repeat([]byte{' '}, min(s.indent, maxScannedLine)))
	}
	s.xml = xmlScan{report: s.report, suspect: s.suspect, refuse: s.refuse, isLate: lead[0] != '<'}
	if strings.HasPrefix(lead, "--") && s.parts == nil {
		s.parts = newPartScan(s, "")
	}
	s.feed(s.lead)
}

// refuse notes why the body cannot be judged.
func (s *ContentScanner) refuse(why *Error) {
	if s.fault == nil {
		s.fault = why
	}
}

func isBlankByte(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0x1e }
