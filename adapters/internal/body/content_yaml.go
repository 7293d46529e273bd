package body

import (
	"bytes"
	"strings"
)

// yamlScan finds the keys of a YAML text. It reads only lines, and ends at the first line that can
// be part neither of a mapping or a list nor of a value in them, because no reader of YAML reads a
// mapping in prose. It reports what it finds at the end of a document, for which readers of
// YAML wait.
type yamlScan struct {
	report  func(Finding)
	suspect func(Finding) bool
	isOver  bool
	found   []Finding
	since   int // bytes since the first of found
	line    []byte

	hasColon bool // line has a colon before a blank

	root     int  // indent of the first key
	hasRoot  bool // root means something
	indent   int  // of the last key
	block    int  // indent of the key of a block scalar, or -1: deeper lines are text
	hasBlock bool // set once block means something
	quote    byte // of a text that goes on, or 0
	flow     int  // brackets that are open
	isUnsure bool // flow may have ended elsewhere: brackets stood next to quotes
	loose    looseScan
	question string // the key after "? ", whose value follows ": "
	openKey  string // the key whose value begins on the next line
}

// maxScannedLine bounds the part of a line that is kept.
const maxScannedLine = 8 << 10

func (y *yamlScan) write(p []byte) {
	for len(p) > 0 && !y.isOver {
		n := bytes.IndexAny(p, "\r\n")
		piece := p
		if n >= 0 {
			piece = p[:n]
		}
		room := maxScannedLine - len(y.line)
		y.noteColon(piece)
		y.line = append(y.line, piece[:min(len(piece), room)]...)
		if len(y.found) > 0 {
			y.since += len(piece) + 1
		}
		if y.since > maxYAMLHeld {
			y.endDocument()
		}
		if n < 0 {
			return
		}
		y.endLine()
		p = p[n+1:]
	}
}

func (y *yamlScan) close() {
	if !y.isOver && len(y.line) > 0 {
		y.endLine()
	}
	if y.loose.report != nil {
		y.loose.close()
	}
	if !y.isOver {
		y.endDocument()
	}
}

func (y *yamlScan) endDocument() {
	for _, f := range y.found {
		y.report(f)
	}
	y.found, y.since = y.found[:0], 0
}

// maxYAMLHeld is how long a finding waits for the end of a document, in bytes. After that it is
// reported whatever follows.
const maxYAMLHeld = 16 << 10

// keep keeps a finding that matters.
func (y *yamlScan) keep(f Finding) {
	f.Reader = ReadsYAML
	if !y.suspect(f) {
		return
	}
	if len(y.found) == 0 {
		y.since = len(y.line) + 1
	}
	y.found = append(y.found, f)
}

// pending is the length of the line whose value has not ended, or of all since the first
// finding.
func (y *yamlScan) pending() int {
	if y.isOver {
		return 0
	}
	if y.hasColon {
		return max(len(y.line), y.since)
	}
	return y.since
}

func (y *yamlScan) endLine() {
	for line := range strings.SplitSeq(lineEnds.Replace(string(y.line)), "\n") {
		if !y.isOver {
			y.readLine(line)
		}
	}
	y.line, y.hasColon = y.line[:0], false
}

// noteColon is called before a piece is added to line.
func (y *yamlScan) noteColon(piece []byte) {
	n := len(y.line)
	isAfter := n > 0 && y.line[n-1] == ':' && len(piece) > 0 && isBlankByte(piece[0])
	y.hasColon = y.hasColon || isAfter || bytes.Contains(piece, []byte(": ")) || bytes.Contains(piece, []byte(":\t"))
}

// lineEnds are those of YAML 1.1 beyond ASCII. Byte order marks are skipped anywhere.
var lineEnds = strings.NewReplacer("\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\ufeff", "")

func (y *yamlScan) readLine(line string) {
	for i := 0; i < len(line); i++ {
		if line[i] < ' ' && line[i] != '\t' || line[i] == 0x7f {
			y.isOver = true // YAML is text
			return
		}
	}

	text := strings.TrimLeft(line, " \t")
	indent := len(line) - len(text)
	switch {
	case y.flow > 0:
		y.readFlow(text)
		return
	case y.quote != 0:
		y.readQuoted(text)
		return
	case text == "" || text[0] == '#':
		return
	case y.hasBlock && indent > y.block:
		return
	}
	y.hasBlock = false
	if indent == 0 && (text[0] == '%' || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...")) {
		y.endDocument()
		rest := strings.TrimLeft(strings.TrimLeft(text, "-."), " \t")
		if text[0] == '%' {
			return
		}
		text = rest
	}
	y.readEntry(text, indent)
}

// readEntry reads a line that is an item, a key, or the rest of a text.
func (y *yamlScan) readEntry(text string, indent int) {
	isItem := false
	openKey := y.openKey
	defer func() {
		if y.openKey == openKey {
			y.openKey = ""
		}
	}()
	for len(text) > 1 && (text[0] == '-' || text[0] == '?') && (text[1] == ' ' || text[1] == '\t') || text == "-" || text == "?" {
		if text[0] == '?' {
			y.question = unquoteYAML(strings.TrimSpace(text[1:]))
		}
		rest := strings.TrimLeft(text[1:], " \t")
		indent += len(text) - len(rest)
		text, isItem = rest, true
	}
	if text = cutProperties(text); text == "" || text[0] == '#' {
		if !isItem {
			openKey = "" // still to come
		}
		return
	}

	if rest, ok := strings.CutPrefix(text, ":"); ok && y.question != "" && (rest == "" || isBlankByte(rest[0])) {
		y.value(y.question, strings.TrimSpace(rest), indent)
		return
	}
	key, rest, ok := cutYAMLKey(text)
	switch {
	case ok:
		y.value(key, rest, indent)
	case isItem || indent > y.indent:
		if openKey != "" {
			y.keep(Finding{Name: openKey, Value: unquoteYAML(text)})
		}
		y.openValue(text, indent)
	case text[0] == '{' || text[0] == '[':
		y.readFlow(text)
	case openKey != "" && (text[0] == '|' || text[0] == '>'):
		y.openValue(text, indent)
	default:
		if indent < y.root || y.isUnsure {
			y.endDocument() // some readers stop here without a word
		}
		y.isOver = true
	}
}

// value reports the value of a key as far as it stands on the line.
func (y *yamlScan) value(key, rest string, indent int) {
	y.indent, y.question = indent, ""
	if !y.hasRoot {
		y.root, y.hasRoot = indent, true
	}
	if rest = cutProperties(rest); rest == "" || rest[0] == '#' {
		y.openKey = key
	}
	y.openValue(rest, indent)
	if !strings.ContainsAny(key, " \t") { // names of fields are words
		value := unquoteYAML(rest)
		if value != "" && value[0] != '{' && value[0] != '[' && value[0] != '#' {
			y.keep(Finding{Name: key, Value: value})
		}
	}
}

// openValue notes what of a value goes on on the next line.
func (y *yamlScan) openValue(rest string, indent int) {
	if rest == "" {
		return
	}
	switch c := rest[0]; c {
	case '|', '>':
		y.block, y.hasBlock = indent, true
	case '"', '\'':
		y.quote = c
		y.readQuoted(rest[1:])
	case '{', '[':
		y.readFlow(rest)
	}
}

// readQuoted looks for the end of a text in quotes.
func (y *yamlScan) readQuoted(text string) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && y.quote == '"':
			i++
		case text[i] == y.quote:
			y.quote = 0
			return
		}
	}
}

// readFlow reads a line of a mapping or list in brackets, which is like JSON.
func (y *yamlScan) readFlow(text string) {
	if y.loose.report == nil {
		y.loose = looseScan{report: y.keep, depth: maxScannedName}
	}
	y.loose.write([]byte(text))
	y.loose.write([]byte{'\n'})
	y.isUnsure = y.isUnsure || strings.ContainsAny(text, "'\"")
	y.flow += strings.Count(text, "{") + strings.Count(text, "[") - strings.Count(text, "}") - strings.Count(text, "]")
	if y.flow <= 0 {
		y.flow = 0
		y.loose.close()
		y.loose = looseScan{}
	}
}

// cutProperties cuts the anchor and the tag before a node.
func cutProperties(text string) string {
	for len(text) > 0 && (text[0] == '&' || text[0] == '!') {
		n := strings.IndexAny(text, " \t")
		if n < 0 {
			return ""
		}
		text = strings.TrimLeft(text[n:], " \t")
	}
	return text
}

// cutYAMLKey cuts "key: value". Anchors and tags before the key are not of it.
func cutYAMLKey(text string) (key, rest string, ok bool) {
	text = cutProperties(text)
	if text == "" {
		return "", "", false
	}

	end := 0
	if text[0] == '"' || text[0] == '\'' {
		closing := strings.IndexByte(text[1:], text[0])
		for text[0] == '"' && closing > 0 && text[closing] == '\\' {
			next := strings.IndexByte(text[closing+2:], '"')
			if next < 0 {
				return "", "", false
			}
			closing += next + 1
		}
		if closing < 0 {
			return "", "", false
		}
		end = closing + 2
	}
	for ; end < len(text); end++ {
		if text[end] == ':' && (end+1 == len(text) || text[end+1] == ' ' || text[end+1] == '\t') {
			key := strings.TrimSpace(text[:end])
			if key == "" || len(key) > maxScannedName {
				return "", "", false
			}
			return unquoteYAML(key), strings.TrimSpace(text[end+1:]), true
		}
		if text[0] == '"' || text[0] == '\'' {
			if !isBlankByte(text[end]) {
				return "", "", false
			}
		} else if text[end] == '#' && (end == 0 || isBlankByte(text[end-1])) {
			return "", "", false
		}
	}
	return "", "", false
}

// unquoteYAML is a text without its quotes and escapes.
func unquoteYAML(text string) string {
	text = cutProperties(text)
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		isDouble := text[0] == '"'
		text = text[1 : n-1]
		if isDouble {
			text = unescapeLoosely([]byte(text))
		}
	}
	return text
}
