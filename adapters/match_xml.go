package adapters

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// xmlNode is one element.
type xmlNode struct {
	name  string // local
	attrs []xml.Attr
	text  string
	kids  []*xmlNode
}

// Bounds of an XML body.
const (
	maxXMLDepth = 64
	maxXMLNodes = 10_000
)

// readXML parses the body, once. No body is an empty document.
func (r *reading) readXML() bool {
	if r.xmlState == 0 {
		r.xmlState = 2
		if r.parseXML() {
			r.xmlState = 1
		}
	}
	return r.xmlState == 1
}

func (r *reading) parseXML() bool {
	if r.xmlRoot = (&xmlNode{}); r.q.Truncated || r.coded && len(r.q.Body) > 0 {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}
	media, ok := r.mediaType()
	if !ok || media != "text/xml" && media != "application/xml" && !strings.HasSuffix(media, "+xml") {
		return false
	}
	d := xml.NewDecoder(bytes.NewReader(r.q.Body))
	d.CharsetReader = nil // UTF-8, or it is an error
	open, nodes := []*xmlNode{r.xmlRoot}, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return len(open) == 1 && len(r.xmlRoot.kids) == 1
		}
		if err != nil {
			return false
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if nodes++; len(open) > maxXMLDepth || nodes > maxXMLNodes {
				return false
			}
			node := &xmlNode{name: t.Name.Local, attrs: t.Copy().Attr}
			top.kids = append(top.kids, node)
			open = append(open, node)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if top == r.xmlRoot && len(bytes.TrimSpace(t)) > 0 {
				return false
			}
			top.text += string(t)
		case xml.Directive:
			return false // a DTD can name entities that this parser does not know
		case xml.ProcInst:
			if t.Target != "xml" {
				return false
			}
		}
	}
}

// at follows a dotted pointer of local names.
func (n *xmlNode) at(pointer string) field {
	keys := strings.Split(pointer, ".")
	for i := 0; i < len(keys); i++ {
		if name, ok := strings.CutPrefix(keys[i], "@"); ok {
			return n.attribute(name)
		}
		var same []*xmlNode
		for _, kid := range n.kids {
			if kid.name == keys[i] {
				same = append(same, kid)
			}
		}
		index, numbered := 0, false
		if i+1 < len(keys) {
			if k, err := strconv.Atoi(keys[i+1]); err == nil {
				index, numbered = k, true
				i++
			}
		}
		switch {
		case index < 0 || index >= len(same):
			return field{}
		case !numbered && len(same) > 1:
			return field{state: doubtful}
		}
		n = same[index]
	}
	return n.value()
}

func (n *xmlNode) attribute(name string) (f field) {
	for _, a := range n.attrs {
		if a.Name.Local != name || a.Name.Space == "xmlns" {
			continue
		}
		if f.state != absent || !text.IsClear(a.Value) {
			return field{state: doubtful}
		}
		f = field{text: a.Value, state: present}
	}
	return f
}

// value is the text, or the names of the elements within; both together are doubtful.
func (n *xmlNode) value() field {
	content := strings.TrimSpace(n.text)
	if len(n.kids) == 0 {
		if !text.IsClear(content) {
			return field{state: doubtful}
		}
		return field{text: content, state: present}
	}
	if content != "" {
		return field{state: doubtful}
	}
	names := make([]string, len(n.kids))
	for i, kid := range n.kids {
		names[i] = kid.name
	}
	return field{text: strings.Join(names, " "), state: present}
}
