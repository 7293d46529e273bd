package body

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// XMLOptions bounds [ParseXML].
type XMLOptions struct {
	MaxDepth int     // elements within each other; 0 means DefaultMaxDepth
	MaxNodes int     // elements and attributes together; 0 means DefaultMaxNodes
	Charset  Charset // of the Content-Type
}

// DefaultMaxNodes bounds elements and attributes of an XML body.
const DefaultMaxNodes = 20_000

// XML is an XML document (XML 1.0, with namespaces) in its canonical spelling.
type XML struct {
	Root  *Element
	text  []byte
	trims []*Element
}

// Element is an element of a document.
type Element struct {
	Space    string // URI of the namespace, "" for none
	Prefix   string // as written
	Local    string
	Attrs    []Attr // in order, without the declarations of namespaces
	Text     string // the character data directly within the element, joined
	Children []*Element

	start, end int // of what is in the element, in XML.text
}

// Attr is an attribute. One without a prefix is in no namespace.
type Attr struct {
	Space, Prefix, Local string
	Value                string
}

var (
	errXML            = fail(BadSyntax, "the body is not well-formed XML")
	errXMLChar        = fail(BadSyntax, "the XML body holds a character that XML does not allow")
	errXMLDoctype     = fail(Doctype, "the XML body has a document type definition, which can give it another meaning: leave it out")
	errXMLInstruction = fail(Instruction, "the XML body has a processing instruction: leave it out")
	errXMLVersion     = fail(BadSyntax, `the XML declaration is not of version 1.0, as in <?xml version="1.0" encoding="UTF-8"?>`)
	errXMLEncoding    = fail(WrongCharset, "the XML declaration names a charset that cannot be read in one way only: send UTF-8")
	errXMLEntity      = fail(UnknownEntity, "the XML body has an entity that is not amp, lt, gt, quot, apos or a number of a character: write the character")
	errXMLDuplicate   = fail(DuplicateKey, "an element in the XML body has an attribute twice: send each once")
	errXMLNamespace   = fail(BadNamespace, "the XML body has a namespace prefix that is not declared, or declares a namespace that is reserved or not a plain URI")
	errXMLDeep        = fail(TooDeep, "the XML body is nested too deep")
	errXMLMany        = fail(TooMany, "the XML body has more elements and attributes than can be held: send less at once")
	errXMLTrailing    = fail(TrailingData, "something other than white space stands before or after the root element")
)

// Bytes returns the canonical text. It has no declaration, no comments, no CDATA
// sections and no white space outside the root element. Every element has a start tag
// and an end tag, attributes are in double quotes, prefixes and the order of attributes
// are as written, and characters beyond ASCII are numeric references except in names.
func (d *XML) Bytes() []byte {
	if len(d.trims) == 0 {
		return d.text
	}
	slices.SortFunc(d.trims, func(a, b *Element) int { return a.start - b.start })
	out := make([]byte, 0, len(d.text))
	at := 0
	for _, e := range slices.Compact(d.trims) {
		out = append(out, d.text[at:e.start]...)
		out, _ = appendXMLEscaped(out, strings.TrimSpace(e.Text), false) // the text was written before
		at = e.end
	}
	return append(out, d.text[at:]...)
}

// Trim removes the white space around the text of an element without children from what
// Bytes returns: readers differ about it, and the caller decides by the text without it.
func (d *XML) Trim(e *Element) {
	if len(e.Children) == 0 && strings.TrimSpace(e.Text) != e.Text {
		d.trims = append(d.trims, e)
	}
}

// ParseXML reads a document. It takes linear time. The text is not kept.
//
// A document type definition and processing instructions are errors. The declaration
// is read and dropped; its encoding has to be one in which the body reads like UTF-8.
// Comments are dropped, so that the texts before and after become one: some readers
// stop at a comment.
func ParseXML(src []byte, o XMLOptions) (*XML, error) {
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxNodes <= 0 {
		o.MaxNodes = DefaultMaxNodes
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if !utf8.Valid(src) {
		return nil, errNotUTF8
	}
	if err := checkCharset(o.Charset, src); err != nil {
		return nil, err
	}

	p := xmlParser{src: string(src), options: o, doc: &XML{}, spaces: map[string]string{"xml": xmlSpace}}
	if err := p.declaration(); err != nil {
		return nil, err
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

type xmlParser struct {
	src     string
	at      int
	options XMLOptions
	doc     *XML
	nodes   int
	open    []openElement
	spaces  map[string]string // namespace of each prefix in scope; "" is the default one
	undo    []declaration     // what the declarations in scope replaced
}

// openElement is an element whose end tag has not come.
type openElement struct {
	*Element
	qname string
	text  []byte
	undo  int // length of xmlParser.undo before it
}

// document reads all that follows the declaration.
func (p *xmlParser) document() error {
	for p.at < len(p.src) {
		var err error
		switch rest := p.src[p.at:]; {
		case strings.HasPrefix(rest, "</"):
			err = p.endTag()
		case strings.HasPrefix(rest, "<!--"):
			err = p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			err = p.cdata()
		case strings.HasPrefix(rest, "<!"):
			err = errXMLDoctype
		case strings.HasPrefix(rest, "<?"):
			err = errXMLInstruction
		case rest[0] == '<':
			err = p.startTag()
		default:
			err = p.characters()
		}
		if err != nil {
			return err
		}
	}

	if p.doc.Root == nil || len(p.open) > 0 {
		return errXML
	}
	return nil
}

// declaration reads <?xml version="1.0" encoding="…" standalone="…"?>, if there is one.
func (p *xmlParser) declaration() error {
	rest, ok := strings.CutPrefix(p.src, "<?xml")
	if !ok || rest == "" || !isXMLSpace(rest[0]) {
		return nil
	}
	end := strings.Index(rest, "?>")
	if end < 0 {
		return errXML
	}
	p.at = len(p.src) - len(rest) + end + len("?>")

	rest = rest[:end]
	for i, name := range [...]string{"version", "encoding", "standalone"} {
		trimmed := trimXMLSpace(rest)
		after, ok := strings.CutPrefix(trimmed, name)
		if !ok {
			if i == 0 {
				return errXMLVersion
			}
			continue
		}
		if len(trimmed) == len(rest) {
			return errXML // no white space before it
		}
		value, after, err := cutDeclarationValue(after)
		if err != nil {
			return err
		}
		if err := p.checkDeclared(name, value); err != nil {
			return err
		}
		rest = after
	}
	if trimXMLSpace(rest) != "" {
		return errXML
	}
	return nil
}

// cutDeclarationValue reads ="value" or ='value'.
func cutDeclarationValue(s string) (value, rest string, err error) {
	s, ok := strings.CutPrefix(trimXMLSpace(s), "=")
	s = trimXMLSpace(s)
	if !ok || s == "" || s[0] != '"' && s[0] != '\'' {
		return "", "", errXML
	}
	value, rest, ok = strings.Cut(s[1:], s[:1])
	if !ok {
		return "", "", errXML
	}
	return value, rest, nil
}

func (p *xmlParser) checkDeclared(name, value string) error {
	switch name {
	case "version":
		if value != "1.0" {
			return errXMLVersion
		}
	case "encoding":
		charset := charsetOf(value)
		if charset == charsetUnknown {
			return errXMLEncoding
		}
		return checkCharset(charset, p.src)
	case "standalone":
		if value != "yes" && value != "no" {
			return errXML
		}
	}
	return nil
}

func (p *xmlParser) comment() error {
	body := p.src[p.at+len("<!--"):]
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") {
		return errXML
	}
	p.at += len("<!--") + end + len("-->")
	return nil
}

func (p *xmlParser) cdata() error {
	if len(p.open) == 0 {
		return errXMLTrailing
	}
	body := p.src[p.at+len("<![CDATA["):]
	end := strings.Index(body, "]]>")
	if end < 0 {
		return errXML
	}
	p.at += len("<![CDATA[") + end + len("]]>")

	first := len(p.top().text)
	p.top().text = append(p.top().text, normalizeLineEnds(body[:end])...)
	return p.writeText(p.top().text[first:])
}

func (p *xmlParser) top() *openElement { return &p.open[len(p.open)-1] }

// characters reads text up to the next markup.
func (p *xmlParser) characters() error {
	raw := p.src[p.at:]
	if end := strings.IndexByte(raw, '<'); end >= 0 {
		raw = raw[:end]
	}
	p.at += len(raw)
	if len(p.open) == 0 {
		if trimXMLSpace(raw) != "" {
			return errXMLTrailing
		}
		return nil
	}
	if strings.Contains(raw, "]]>") {
		return errXML
	}

	first := len(p.top().text)
	text, err := appendXMLText(p.top().text, raw, false)
	if err != nil {
		return err
	}
	p.top().text = text
	return p.writeText(text[first:])
}

// writeText writes character data.
func (p *xmlParser) writeText(text []byte) (err error) {
	p.doc.text, err = appendXMLEscaped(p.doc.text, string(text), false)
	return err
}

func (p *xmlParser) startTag() error {
	p.at++
	qname, prefix, local, err := p.name()
	if err != nil {
		return err
	}
	if len(p.open) == 0 && p.doc.Root != nil {
		return errXMLTrailing
	}
	if len(p.open) == p.options.MaxDepth {
		return errXMLDeep
	}
	if err := p.countNode(); err != nil {
		return err
	}

	element := openElement{Element: &Element{Prefix: prefix, Local: local}, qname: qname, undo: len(p.undo)}
	p.doc.text = append(append(p.doc.text, '<'), qname...)
	empty, err := p.attributes(element.Element)
	if err != nil {
		return err
	}
	p.doc.text = append(p.doc.text, '>')
	if err := p.resolve(element.Element); err != nil {
		return err
	}

	if len(p.open) == 0 {
		p.doc.Root = element.Element
	} else {
		p.top().Children = append(p.top().Children, element.Element)
	}
	p.open = append(p.open, element)
	element.start = len(p.doc.text)
	if empty {
		p.closeElement()
	}
	return nil
}

// countNode counts an element or an attribute.
func (p *xmlParser) countNode() error {
	if p.nodes++; p.nodes > p.options.MaxNodes {
		return errXMLMany
	}
	return nil
}

// attributes reads the rest of a start tag.
func (p *xmlParser) attributes(e *Element) (empty bool, err error) {
	var names nameSet
	for {
		before := p.at
		p.skipSpace()
		rest := p.src[p.at:]
		switch {
		case strings.HasPrefix(rest, ">"):
			p.at++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.at += 2
			return true, nil
		case p.at == before:
			return false, errXML
		}

		qname, prefix, local, err := p.name()
		if err != nil {
			return false, err
		}
		value, err := p.attributeValue()
		if err != nil {
			return false, err
		}
		if !names.add(qname) {
			return false, errXMLDuplicate
		}
		if err := p.countNode(); err != nil {
			return false, err
		}
		if err := p.writeAttribute(qname, value); err != nil {
			return false, err
		}

		switch {
		case prefix == "xmlns":
			err = p.declare(local, value)
		case prefix == "" && local == "xmlns":
			err = p.declare("", value)
		default:
			e.Attrs = append(e.Attrs, Attr{Prefix: prefix, Local: local, Value: value})
		}
		if err != nil {
			return false, err
		}
	}
}

// attributeValue reads ="value" or ='value'.
func (p *xmlParser) attributeValue() (string, error) {
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.at:], "=") {
		return "", errXML
	}
	p.at++
	p.skipSpace()
	if p.at == len(p.src) || p.src[p.at] != '"' && p.src[p.at] != '\'' {
		return "", errXML
	}
	raw, _, ok := strings.Cut(p.src[p.at+1:], p.src[p.at:p.at+1])
	if !ok || strings.IndexByte(raw, '<') >= 0 {
		return "", errXML
	}
	p.at += len(raw) + 2

	value, err := appendXMLText(nil, raw, true)
	return string(value), err
}

func (p *xmlParser) writeAttribute(qname, value string) (err error) {
	p.doc.text = append(append(append(p.doc.text, ' '), qname...), `="`...)
	p.doc.text, err = appendXMLEscaped(p.doc.text, value, true)
	p.doc.text = append(p.doc.text, '"')
	return err
}

func (p *xmlParser) endTag() error {
	p.at += len("</")
	if len(p.open) == 0 {
		return errXML
	}
	name := p.top().qname
	if !strings.HasPrefix(p.src[p.at:], name) {
		return errXML
	}
	p.at += len(name)
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.at:], ">") {
		return errXML
	}
	p.at++
	p.closeElement()
	return nil
}

// closeElement ends the innermost element.
func (p *xmlParser) closeElement() {
	e := p.top()
	e.Text = string(e.text)
	e.end = len(p.doc.text)
	p.doc.text = append(append(append(p.doc.text, "</"...), e.qname...), '>')

	for len(p.undo) > e.undo {
		last := p.undo[len(p.undo)-1]
		p.undo = p.undo[:len(p.undo)-1]
		if last.known {
			p.spaces[last.prefix] = last.space
		} else {
			delete(p.spaces, last.prefix)
		}
	}
	p.open = p.open[:len(p.open)-1]
}

func (p *xmlParser) skipSpace() {
	for p.at < len(p.src) && isXMLSpace(p.src[p.at]) {
		p.at++
	}
}
