package body

import (
	"bytes"
	"strings"
)

// xmlScan finds elements and attributes. It does not tell comments and character data from
// markup, so that no reader can find an element that it does not. A value is found under the
// name of its element, and under the name that stands next to it, as in a struct of XML-RPC:
// <name>user</name><value>x</value>, <param name="user">x</param>.
//
// Some readers skip what stands before the first element (Go). In a text that does not begin
// with "<", an element therefore counts once it was closed: <token> alone is a placeholder.
type xmlScan struct {
	report  func(Finding)
	suspect func(Finding) bool
	refuse  func(*Error)
	isLate  bool // the text does not begin with "<"

	elements []xmlElement // those that are open, the last ones
	said     string       // the name that an element gave to the value after it, or ""
	text     []byte
	isCut    bool // text was reported before it ended
	isCDATA  bool // "<" may be text
	since    int  // bytes since the first finding that waits for the end of its element

	inTag   bool
	tag     []byte
	hasName bool // tag is complete
	attr    []byte
	inValue bool
	quote   byte // 0 before and after the value of an attribute
	value   []byte
	last    byte
	inTagOf []Finding // the attributes
	saidBy  string    // the value of an attribute that names, or ""
	given   string    // the value of an attribute that is a value, or ""
}

type xmlElement struct {
	name  string
	said  string    // the name that an attribute gives to its value, or ""
	found []Finding // of a text that isLate
}

// maxXMLHeld is how long findings wait for the end of an element, in bytes.
const maxXMLHeld = 16 << 10

func (x *xmlScan) write(p []byte) {
	for len(p) > 0 {
		before := len(p)
		if x.inTag {
			x.addToTag(p[0])
			x.last = p[0]
			p = p[1:]
		} else {
			p = x.readText(p)
		}
		if x.since > 0 {
			x.hold(before - len(p))
		}
	}
}

// hold counts the bytes for which findings wait, and reports them after too many.
func (x *xmlScan) hold(n int) {
	if x.since += n; x.since <= maxXMLHeld {
		return
	}
	for i := range x.elements {
		x.reportAll(&x.elements[i])
	}
	x.since = 0
}

func (x *xmlScan) readText(p []byte) (rest []byte) {
	n := bytes.IndexByte(p, '<')
	if n < 0 {
		x.addText(p)
		return nil
	}
	x.addText(p[:n])
	if x.isCDATA && !bytes.HasSuffix(x.text, []byte("]]>")) {
		x.addText([]byte{'<'})
	}
	x.endText()
	x.isCut = false
	x.beginTag()
	return p[n+1:]
}

func (x *xmlScan) close() { x.endText() }

// pending is the length of the text or the value that has not ended, or of all since a finding
// that waits.
func (x *xmlScan) pending() int {
	n := x.since
	switch {
	case x.quote != 0 && len(x.value) < maxScannedValue:
		n = max(n, len(x.value)+1)
	case !x.inTag && len(x.elements) > 0:
		n = max(n, len(x.text))
	}
	return n
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

// endText takes the text of the innermost element for its value.
func (x *xmlScan) endText() {
	if len(x.elements) > 0 && !isXMLText(x.text) {
		x.elements, x.text, x.since = x.elements[:0], x.text[:0], 0 // binary content, which no reader reads
		return
	}
	text := bytes.TrimSpace(x.text)
	if n := len(x.elements); n > 0 && len(text) > 0 {
		value := strings.TrimSuffix(string(text), "]]>")
		x.foundText(&x.elements[n-1], value)
	}
	x.text = x.text[:0]
}

// foundText reports the text of an element under every name that a reader may give it.
func (x *xmlScan) foundText(e *xmlElement, value string) {
	x.found(e, Finding{Name: e.name, Value: value})
	if e.said != "" {
		x.found(e, Finding{Name: e.said, Value: value})
	}

	if namesValue(e.name) && len(value) <= maxScannedName {
		x.said = value
		return
	}
	if x.said != "" {
		x.found(e, Finding{Name: x.said, Value: value})
		x.said = ""
	}
}

// namesValue reports whether an element or an attribute says the name of the value next to it.
func namesValue(name string) bool {
	switch len(name) { // it is asked about every element
	case len("key"):
		return strings.EqualFold(name, "key")
	case len("name"):
		return strings.EqualFold(name, "name")
	case len("field"):
		return strings.EqualFold(name, "field")
	case len("property"):
		return strings.EqualFold(name, "property")
	case len("parameter"):
		return strings.EqualFold(name, "parameter")
	}
	return false
}

// isAnchor reports elements of HTML whose attribute name says nothing about the text in them.
func isAnchor(element string) bool {
	switch strings.ToLower(element) {
	case "a", "form", "map", "iframe", "slot", "button", "select":
		return true
	}
	return false
}

// isValue reports whether an attribute holds a value that another attribute names.
func isValue(name string) bool {
	switch strings.ToLower(name) {
	case "value", "val", "v":
		return true
	}
	return false
}

// found reports a finding, or keeps it until its element ends.
func (x *xmlScan) found(e *xmlElement, f Finding) {
	f.Reader = ReadsXML
	switch {
	case !x.isLate:
		x.report(f)
	case x.suspect(f):
		e.found = append(e.found, f)
		x.since = max(x.since, len(x.text)+len(f.Name)+1)
	}
}

func (x *xmlScan) reportAll(e *xmlElement) {
	for _, f := range e.found {
		x.report(f)
	}
	e.found = nil
}

func (x *xmlScan) beginTag() {
	x.inTag, x.hasName, x.inValue, x.quote = true, false, false, 0
	x.tag, x.attr, x.last, x.inTagOf = x.tag[:0], x.attr[:0], 0, x.inTagOf[:0]
	x.saidBy, x.given = "", ""
}

// addToTag reads what stands between "<" and ">".
func (x *xmlScan) addToTag(c byte) {
	switch {
	case c == '<':
		x.beginTag() // also within a value: what came before was not XML
		return
	case c < ' ' && !isXMLSpace(c), !x.hasName && !x.isTagByte(c):
		x.inTag = false // binary content, or a sign
		return
	case x.quote != 0:
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

// isTagByte reports whether a tag may go on with c before its first white space.
func (x *xmlScan) isTagByte(c byte) bool {
	switch {
	case len(x.tag) == 0:
		return isAlphanumeric(c) && c > '9' || c == '_' || c == '!' || c == '?' || c == '/' || c == ':' || c >= 0x80
	case x.tag[0] == '!':
		return true
	}
	return isAlphanumeric(c) || c >= 0x80 || strings.IndexByte("_-.:/>?= \t\r\n\"'", c) >= 0
}

// isXMLText reports whether a text has no character that XML does not allow.
func isXMLText(text []byte) bool {
	for _, c := range text {
		if c < ' ' && !isXMLSpace(c) {
			return false
		}
	}
	return true
}

func (x *xmlScan) addToValue(c byte) {
	isEnd := c == x.quote || x.quote == ' ' && (isXMLSpace(c) || c == '>')
	if !isEnd {
		if len(x.value) < maxScannedValue {
			x.value = append(x.value, c)
			if len(x.value) == maxScannedValue {
				x.endAttribute()
			}
		}
		return
	}

	if len(x.value) < maxScannedValue {
		x.endAttribute()
	}
	x.quote, x.inValue, x.attr = 0, false, x.attr[:0]
	if c == '>' {
		x.endTag()
	}
}

func (x *xmlScan) endAttribute() {
	name, value := localName(string(x.attr)), string(x.value)
	if string(x.tag) == "?xml" && name == "encoding" && !isScannedCharset(value) {
		x.refuse(errHiddenCharset)
	}
	if value == "" || len(x.tag) > 0 && x.tag[0] == '!' {
		return
	}
	x.foundAttribute(Finding{Name: name, Value: value, Reader: ReadsXML})

	switch {
	case namesValue(name) && len(value) <= maxScannedName:
		x.saidBy = value
	case isValue(name):
		x.given = value
	default:
		return
	}
	if x.saidBy != "" && x.given != "" {
		x.foundAttribute(Finding{Name: x.saidBy, Value: x.given, Reader: ReadsXML})
	}
}

// foundAttribute reports what an attribute holds, or keeps it until its element ends.
func (x *xmlScan) foundAttribute(f Finding) {
	if !x.isLate {
		x.report(f)
	} else if x.suspect(f) {
		x.inTagOf = append(x.inTagOf, f)
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
		x.closeElement(localName(name[1:]))
	case x.last == '/':
		x.reportAll(&xmlElement{found: x.inTagOf})
	default:
		if len(x.elements) == maxScannedDepth {
			x.reportAll(&x.elements[0])
			x.elements = append(x.elements[:0], x.elements[1:]...)
		}
		e := xmlElement{name: localName(name)}
		if x.saidBy != "" && !isAnchor(e.name) {
			e.said = x.saidBy
		}
		x.elements = append(x.elements, e)
		for _, f := range x.inTagOf {
			x.found(&x.elements[len(x.elements)-1], f)
		}
	}
}

// closeElement ends the innermost element of a name. In a text that isLate, what is open
// within it was not closed, and does not count.
func (x *xmlScan) closeElement(name string) {
	n := len(x.elements) - 1
	if x.isLate {
		for n >= 0 && x.elements[n].name != name {
			n--
		}
	}
	if n < 0 {
		return
	}

	x.reportAll(&x.elements[n])
	x.elements = x.elements[:n]
	for i := range x.elements {
		if len(x.elements[i].found) > 0 {
			return
		}
	}
	x.since = 0
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
