package adapters

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// xmlNode is one element of an XML body. The root of a document is a node without a name, whose one child is the
// document element.
type xmlNode struct {
	name       string // local name
	attributes []xml.Attr
	text       string
	children   []*xmlNode
}

// Bounds of an XML body.
const (
	maxXMLDepth = 64
	maxXMLNodes = 10_000
)

// readXML parses the body, once. No body is an empty document.
func (r *request) readXML() bool { return r.xmlState.parse(r.parseXML) }

func (r *request) parseXML() bool {
	r.xmlRoot = &xmlNode{}
	if !r.bodyReadable() {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}

	media, ok := r.mediaType()
	if !ok || media != "text/xml" && media != "application/xml" && !strings.HasSuffix(media, "+xml") {
		return r.doubtBody(doubtMediaType)
	}
	if !r.xmlRoot.decode(r.q.Body) {
		return r.doubtBody(doubtSyntax)
	}
	return true
}

// decode reads a document below the root. It refuses what XML parsers may read differently: a document type, which can
// name entities, processing instructions, another charset than UTF-8, and text outside of the document element.
func (root *xmlNode) decode(body []byte) bool {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.CharsetReader = nil // UTF-8, or it is an error

	open := []*xmlNode{root}
	nodes := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return len(open) == 1 && len(root.children) == 1
		}
		if err != nil {
			return false
		}

		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			nodes++
			if len(open) > maxXMLDepth || nodes > maxXMLNodes {
				return false
			}
			node := &xmlNode{name: t.Name.Local, attributes: t.Copy().Attr}
			top.children = append(top.children, node)
			open = append(open, node)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if top == root && len(bytes.TrimSpace(t)) > 0 {
				return false
			}
			top.text += string(t)
		case xml.Directive:
			return false
		case xml.ProcInst:
			if t.Target != "xml" {
				return false
			}
		}
	}
}

// at follows a dotted pointer of local names. A number after a name picks one of several children of that name; without
// it several are doubtful. @name at the end is an attribute.
func (n *xmlNode) at(pointer string) value {
	keys := strings.Split(pointer, ".")
	for i := 0; i < len(keys); i++ {
		if name, ok := strings.CutPrefix(keys[i], "@"); ok {
			return n.attribute(name)
		}

		same := n.childrenNamed(keys[i])
		index, numbered := 0, false
		if i+1 < len(keys) {
			if k, err := strconv.Atoi(keys[i+1]); err == nil {
				index, numbered = k, true
				i++
			}
		}
		switch {
		case index < 0 || index >= len(same):
			return value{}
		case !numbered && len(same) > 1:
			return value{state: doubtful}
		}
		n = same[index]
	}
	return n.value()
}

func (n *xmlNode) childrenNamed(name string) []*xmlNode {
	var same []*xmlNode
	for _, child := range n.children {
		if child.name == name {
			same = append(same, child)
		}
	}
	return same
}

// attribute is the value of an attribute. One of that local name in two name spaces is doubtful.
func (n *xmlNode) attribute(name string) value {
	var v value
	for _, a := range n.attributes {
		if a.Name.Local != name || a.Name.Space == "xmlns" {
			continue
		}
		if v.state != absent || !text.IsClear(a.Value) {
			return value{state: doubtful}
		}
		v = value{text: a.Value, state: present}
	}
	return v
}

// value is the text of an element, or the names of the elements in it. An element with both is doubtful.
func (n *xmlNode) value() value {
	content := strings.TrimSpace(n.text)
	if len(n.children) == 0 {
		if !text.IsClear(content) {
			return value{state: doubtful}
		}
		return value{text: content, state: present}
	}
	if content != "" {
		return value{state: doubtful}
	}

	names := make([]string, len(n.children))
	for i, child := range n.children {
		names[i] = child.name
	}
	return value{text: strings.Join(names, " "), state: present}
}
