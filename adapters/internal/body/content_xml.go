package body

import (
	"bytes"
	"strings"
)

// xmlScan finds elements and attributes. It does not tell comments and character data from
// markup, so that no reader can find an element that it does not.
type xmlScan struct {
	report func(Finding)
	refuse func(*Error)

	elements []string // those that are open, the last ones
	text     []byte
	isCut    bool // text was reported before it ended
	isCDATA  bool // "<" may be text

	inTag   bool
	tag     []byte
	hasName bool // tag is complete
	attr    []byte
	inValue bool
	quote   byte // 0 before and after the value of an attribute
	value   []byte
	last    byte
}

func (x *xmlScan) write(p []byte) {
	for len(p) > 0 {
		if x.inTag {
			x.addToTag(p[0])
			x.last = p[0]
			p = p[1:]
			continue
		}

		n := bytes.IndexByte(p, '<')
		text := p
		if n >= 0 {
			text = p[:n]
		}
		x.addText(text)
		if n < 0 {
			return
		}
		if x.isCDATA && !bytes.HasSuffix(x.text, []byte("]]>")) {
			x.addText([]byte{'<'})
		}
		x.endText()
		x.isCut = false
		x.beginTag()
		p = p[n+1:]
	}
}

func (x *xmlScan) close() { x.endText() }

// pending is the length of the text or the value that has not ended.
func (x *xmlScan) pending() int {
	switch {
	case x.quote != 0 && len(x.value) < maxScannedValue:
		return len(x.value) + 1
	case !x.inTag && len(x.elements) > 0:
		return len(x.text)
	}
	return 0
}

// addText adds to a text. One that is too long is reported before its end.
func (x *xmlScan) addText(text []byte) {
	if len(x.elements) == 0 || x.isCut {
		return
	}
	if len(x.text) == 0 {
		text = bytes.TrimLeft(text, " \t\r\n")
	}
	room := maxScannedValue - len(x.text)
	x.text = append(x.text, text[:min(len(text), room)]...)
	if len(text) >= room {
		x.endText()
		x.isCut = true
	}
}

func (x *xmlScan) beginTag() {
	x.inTag, x.hasName, x.inValue, x.quote = true, false, false, 0
	x.tag, x.attr, x.last = x.tag[:0], x.attr[:0], 0
}

// endText reports the text of the innermost element.
func (x *xmlScan) endText() {
	text := bytes.TrimSpace(x.text)
	if n := len(x.elements); n > 0 && len(text) > 0 {
		value := strings.TrimSuffix(string(text), "]]>")
		x.report(Finding{Name: x.elements[n-1], Value: value, Reader: ReadsXML})
	}
	x.text = x.text[:0]
}

// addToTag reads what stands between "<" and ">".
func (x *xmlScan) addToTag(c byte) {
	if c == '<' {
		x.beginTag() // also within a value: what came before was not XML
		return
	}
	if x.quote != 0 {
		x.addToValue(c)
		return
	}

	switch {
	case c == '>':
		x.endTag()
	case !x.hasName:
		if isXMLSpace(c) || c == '/' && len(x.tag) > 0 {
			x.endName()
			return
		}
		if len(x.tag) < maxScannedName {
			x.tag = append(x.tag, c)
		}
		if string(x.tag) == "![CDATA[" {
			x.inTag, x.isCDATA = false, true
		}
	case c == '=':
		x.inValue = true
	case x.inValue && (c == '"' || c == '\''):
		x.quote, x.value = c, x.value[:0]
	case isXMLSpace(c):
	case x.inValue && c != '/':
		x.quote, x.value = ' ', append(x.value[:0], c) // without quotes, as in HTML
	default:
		if isXMLSpace(x.last) || x.last == '"' || x.last == '\'' {
			x.attr = x.attr[:0]
		}
		if len(x.attr) < maxScannedName {
			x.attr = append(x.attr, c)
		}
	}
}

func (x *xmlScan) addToValue(c byte) {
	isEnd := c == x.quote || x.quote == ' ' && (isXMLSpace(c) || c == '>')
	if !isEnd {
		if len(x.value) < maxScannedValue {
			x.value = append(x.value, c)
			if len(x.value) == maxScannedValue {
				x.reportAttribute()
			}
		}
		return
	}

	if len(x.value) < maxScannedValue {
		x.reportAttribute()
	}
	x.quote, x.inValue, x.attr = 0, false, x.attr[:0]
	if c == '>' {
		x.endTag()
	}
}

func (x *xmlScan) reportAttribute() {
	name, value := localName(string(x.attr)), string(x.value)
	if string(x.tag) == "?xml" && name == "encoding" && !isScannedCharset(value) {
		x.refuse(errHiddenCharset)
	}
	if value != "" && !strings.HasPrefix(string(x.tag), "!") {
		x.report(Finding{Name: name, Value: value, Reader: ReadsXML})
	}
}

func (x *xmlScan) endName() {
	x.hasName = true
	if strings.EqualFold(string(x.tag), "!ENTITY") {
		x.refuse(errHiddenEntity)
	}
}

func (x *xmlScan) endTag() {
	if !x.hasName {
		x.endName()
	}
	x.inTag, x.isCDATA = false, false

	name := string(x.tag)
	switch {
	case name == "" || name[0] == '!' || name[0] == '?':
		// the text goes on
	case name[0] == '/':
		if n := len(x.elements); n > 0 {
			x.elements = x.elements[:n-1]
		}
	case x.last == '/':
	default:
		if len(x.elements) == maxScannedDepth {
			x.elements = append(x.elements[:0], x.elements[1:]...)
		}
		x.elements = append(x.elements, localName(name))
	}
}

func localName(qname string) string {
	return qname[strings.LastIndexByte(qname, ':')+1:]
}

var (
	errHiddenEntity  = fail(Doctype, "the body defines XML entities, which can hide what is in it: leave them out")
	errHiddenCharset = fail(WrongCharset, "the body is in a charset in which it cannot be read: send UTF-8")
)

// isScannedCharset reports whether a scanner finds names in texts of a charset: ASCII characters are
// their own bytes, or have NULs between them.
func isScannedCharset(label string) bool {
	label = strings.ToLower(label)
	return label == "" || charsetOf(label) != charsetUnknown || strings.HasPrefix(label, "utf-16") || strings.HasPrefix(label, "utf-32") ||
		strings.HasPrefix(label, "ucs-") || strings.Contains(label, "jis") || strings.HasPrefix(label, "iso-2022-")
}
