package body

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonScan finds the keys of JSON texts. It keeps no tree: only where it is.
type jsonScan struct {
	report func(Finding)
	isOver bool // what comes now, no reader takes for JSON
	loose  looseScan

	// isLoose is set from the first token on that JSON does not have.
	isLoose bool

	inString, escaped, inBare bool
	token                     []byte
	hasToken                  bool // token is a string that may be a key

	levels []jsonLevel // of the objects and lists that are open
	deeper int         // how many more are, beyond what is kept
	key    string      // of the value that comes
	hasKey bool
}

// jsonLevel is an open object or list.
type jsonLevel struct {
	name   string // the key under which it stands
	isList bool
}

func (j *jsonScan) write(p []byte) {
	for len(p) > 0 && !j.isOver {
		switch {
		case j.isLoose:
			j.startLoose()
			j.loose.write(p)
			return
		case j.inString:
			p = j.readString(p)
		case j.inBare:
			p = j.readBare(p)
		default:
			p = j.readMark(p)
		}
	}
}

func (j *jsonScan) close() {
	if j.inBare {
		j.endBare()
	}
	if j.isLoose {
		j.loose.close()
	}
}

// startLoose leaves it to the loose scan to go on.
func (j *jsonScan) startLoose() {
	if j.loose.report != nil {
		return
	}
	j.loose.report, j.loose.depth = j.report, len(j.levels)+j.deeper
	if j.hasToken {
		j.loose.words = append(j.loose.words, looseWord{unescapeLoosely(j.token), true})
	}
	if j.hasKey {
		j.loose.names, j.loose.inValue = []looseWord{{j.key, true}}, true
	}
}

// goLoose is called at a byte with which no token of JSON begins.
func (j *jsonScan) goLoose() { j.isLoose = true }

// pending is the length of the value that has not ended.
func (j *jsonScan) pending() int {
	switch {
	case j.isOver:
		return 0
	case j.isLoose:
		return j.loose.pending()
	case j.inBare || j.inString && len(j.token) < j.limit() && j.isValue():
		return len(j.token) + 1
	}
	return 0
}

// limit is how much of a text is kept. A GraphQL document is longer than what else is a secret.
func (j *jsonScan) limit() int {
	if j.hasKey && (j.key == "query" || j.key == "mutation") {
		return maxScannedDocument
	}
	return maxScannedValue
}

// isValue reports whether the text that is read is a value, and not a key.
func (j *jsonScan) isValue() bool { return j.hasKey || j.inList() }

func (j *jsonScan) readString(p []byte) (rest []byte) {
	for i, c := range p {
		switch {
		case j.escaped:
			j.escaped = false
		case c == '\\':
			j.escaped = true
		case c == '"':
			j.inString = false
			j.endString()
			return p[i+1:]
		}
		if len(j.token) < j.limit() {
			j.token = append(j.token, c)
			if len(j.token) == j.limit() && j.isValue() {
				j.reportValue(unescapeLoosely(j.token))
			}
		}
	}
	return nil
}

// endString reports a value. What may be a key waits for its colon.
func (j *jsonScan) endString() {
	if !j.isValue() {
		j.hasToken = true
		return
	}
	if len(j.token) < j.limit() {
		j.reportValue(unescapeLoosely(j.token))
	}
	j.hasKey = false
	j.hasToken = j.inList() // not in JSON; the colon shows it
}

func (j *jsonScan) readBare(p []byte) (rest []byte) {
	for i, c := range p {
		if !isBareByte(c) {
			j.endBare()
			return p[i:]
		}
		if len(j.token) < maxScannedName {
			j.token = append(j.token, c)
		}
	}
	return nil
}

// endBare reports a number or a word. Of words JSON has three.
func (j *jsonScan) endBare() {
	j.inBare = false
	word := string(j.token)
	switch {
	case word == "true" || word == "false" || word == "null":
		j.hasKey = false
	case numberLength(j.token) == len(j.token):
		j.reportValue(word)
		j.hasKey = false
	default:
		if j.hasKey {
			j.reportValue(word) // and the loose scan what follows it
		}
		j.hasToken = true
		j.goLoose()
	}
}

// reportValue reports a value under its key.
func (j *jsonScan) reportValue(text string) {
	f := Finding{Name: j.key, Value: text, Reader: ReadsJSON}
	if n := len(j.levels); n > 0 {
		if j.hasKey {
			f.Parent = j.levels[n-1].name
		} else {
			f.Name = j.levels[n-1].name
		}
	}
	j.report(f)
}

func (j *jsonScan) inList() bool {
	n := len(j.levels)
	return n > 0 && j.levels[n-1].isList || j.deeper > 0
}

// readMark reads the byte with which a token begins.
func (j *jsonScan) readMark(p []byte) (rest []byte) {
	c := p[0]
	if len(j.levels) == 0 && c != '{' && c != '[' && !isBlankByte(c) && c != ',' && c != ';' && c != 0 {
		j.isOver = true // after the value
		return nil
	}

	switch {
	case isBlankByte(c):
	case c == '{' || c == '[':
		j.open(c == '[')
	case c == '}' || c == ']':
		j.closeLevel()
	case c == '"':
		j.inString, j.token, j.hasToken = true, j.token[:0], false
	case c == ':' && j.hasToken:
		j.key, j.hasKey, j.hasToken = unescapeLoosely(j.token), true, false
	case c == ',':
		j.hasKey, j.hasToken = false, false
	case isBareByte(c) && !j.hasToken:
		j.inBare, j.token = true, j.token[:0]
		return p
	default:
		j.goLoose()
		return p
	}
	return p[1:]
}

func (j *jsonScan) open(isList bool) {
	name := j.key
	if n := len(j.levels); !j.hasKey && n > 0 {
		name = j.levels[n-1].name
	}
	j.hasKey, j.hasToken = false, false
	if len(j.levels) == maxScannedDepth {
		j.deeper++
		j.goLoose() // where the keys of objects are no longer told from texts
		return
	}
	if len(j.levels) == 0 {
		name = ""
	}
	j.levels = append(j.levels, jsonLevel{strings.Clone(name), isList})
}

func (j *jsonScan) closeLevel() {
	j.hasKey, j.hasToken = false, false
	if len(j.levels) > 0 {
		j.levels = j.levels[:len(j.levels)-1]
	}
}

func isBareByte(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '+' || c == '.' || c == '_' || c == '$' || c >= 0x80
}

// looseScan takes every word before a colon for a key, wherever it stands: between quotes of
// some kind, and with comments or other words before the colon.
type looseScan struct {
	report  func(Finding)
	word    []byte
	words   []looseWord // the last ones, since the last comma or bracket outside of what may be a comment
	comment bool        // one may have begun since then
	last    byte

	depth   int  // of brackets
	isOver  bool // the last bracket was closed
	isQuiet bool // brackets may have stood in texts or comments, and do not count

	names   []looseWord // whose value comes
	inValue bool
	quoted  bool // value began with a quote
	value   []byte
}

// ScanWords reports every word before a colon in a text, with what follows the colon, as a
// [ContentScanner] does in what is almost JSON.
func ScanWords(text string, report func(Finding)) {
	l := looseScan{report: report, isQuiet: true}
	l.write([]byte(text))
	l.close()
}

// looseWord is a word that may be a key.
type looseWord struct {
	text     string
	isQuoted bool // a quote follows it
}

// maxLooseWords bounds how many words before a colon may be its key.
const maxLooseWords = 8

func (l *looseScan) write(p []byte) {
	for _, c := range p {
		if l.isOver {
			return
		}
		l.add(c)
		l.last = c
	}
}

// pending is the length of the value that has not ended.
func (l *looseScan) pending() int {
	if l.isOver || !l.inValue || len(l.value) == 0 {
		return 0
	}
	return len(l.value) + 1
}

func (l *looseScan) close() {
	l.endWord(false)
	l.endValue()
}

func (l *looseScan) add(c byte) {
	if l.inValue {
		l.addToValue(c)
	}
	switch {
	case isFormNameByte[c] && c != ':' && c != '[' && c != ']' && c != '*' && c != '\'':
		if len(l.word) < maxScannedName {
			l.word = append(l.word, c)
		}
		return
	case c == '*' && l.last == '/' || c == '/' && l.last == '/' || c == '#':
		l.comment, l.isQuiet = true, true
	case c == '"' || c == '\'' || c == '`':
		l.isQuiet = true
	case c == '{' || c == '[':
		l.depth++
	case c == '}' || c == ']':
		l.depth--
	}
	l.endWord(c == '"' || c == '\'' || c == '`')
	if l.depth <= 0 && !l.isQuiet && (c == '}' || c == ']') {
		l.endValue()
		l.isOver = true
		return
	}

	switch {
	case c == ':':
		l.endValue()
		l.names = append(l.names[:0], l.words...)
		l.inValue = len(l.names) > 0
		l.words, l.comment = l.words[:0], false
	case (c == ',' || c == '{' || c == '}' || c == '[' || c == ']') && !l.comment:
		l.words = l.words[:0]
	}
}

func (l *looseScan) endWord(isQuoted bool) {
	if len(l.word) == 0 {
		return
	}
	if len(l.words) == maxLooseWords {
		l.words = append(l.words[:0], l.words[1:]...)
	}
	l.words = append(l.words, looseWord{unescapeLoosely(l.word), isQuoted})
	l.word = l.word[:0]
}

// addToValue takes a value up to the quote, comma, bracket or line end that ends it.
func (l *looseScan) addToValue(c byte) {
	switch c {
	case '"', '\'', '`':
		if len(l.value) > 0 {
			l.endValue()
		}
		l.quoted = true
	case ',', '}', ']', '{', '[', '\n', '\r':
		switch {
		case len(l.value) > 0 || !l.quoted && c != '\n' && c != '\r':
			l.endValue()
		case l.quoted:
			l.value = append(l.value, c)
		}
	case ' ', '\t':
		if len(l.value) > 0 && len(l.value) < maxScannedValue-1 {
			l.value = append(l.value, c)
		}
	default:
		l.value = append(l.value, c)
		if len(l.value) == maxScannedValue {
			l.endValue()
		}
	}
}

func (l *looseScan) endValue() {
	if l.inValue && len(l.value) > 0 {
		text := unescapeLoosely(bytes.TrimRight(l.value, " \t"))
		for _, name := range l.names {
			l.report(Finding{Name: name.text, Value: text, Reader: ReadsJSON, isWeak: !name.isQuoted})
		}
	}
	l.inValue, l.quoted, l.value = false, false, l.value[:0]
}

// unescapeLoosely undoes the escapes of JSON and of its relatives. It keeps everything that is
// not an escape.
func unescapeLoosely(p []byte) string {
	if bytes.IndexByte(p, '\\') < 0 {
		return string(p)
	}

	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] != '\\' || i+1 == len(p) {
			out = append(out, p[i])
			continue
		}

		i++
		digits := 0
		switch p[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b', 'f':
			out = append(out, ' ')
		case 'u':
			digits = 4
		case 'x':
			digits = 2
		case 'U':
			digits = 8
		default:
			out = append(out, p[i])
		}
		if digits == 0 {
			continue
		}

		if i+digits >= len(p) {
			return string(append(out, p[i:]...))
		}
		code, err := strconv.ParseUint(string(p[i+1:i+1+digits]), 16, 32)
		if err != nil {
			out = append(out, p[i])
			continue
		}
		i += digits
		c := rune(code)
		if utf16.IsSurrogate(c) {
			c = utf8.RuneError
		}
		out = utf8.AppendRune(out, c)
	}
	return string(out)
}
