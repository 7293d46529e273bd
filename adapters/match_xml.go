package adapters

import (
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxXMLNodes bounds the elements and attributes of an XML body.
const maxXMLNodes = 10_000

// readXML parses the body, once. No body is an empty document.
func (r *request) readXML() bool { return r.xmlState.parse(r.parseXML) }

func (r *request) parseXML() bool {
	if !r.bodyReadable() {
		return false
	}
	if !r.hasBody() {
		return true
	}

	media, ok := r.mediaType()
	if !ok {
		return false
	}
	if media != "text/xml" && media != "application/xml" && !strings.HasSuffix(media, "+xml") {
		return r.doubtBody(doubtMediaType)
	}

	var err error
	r.xml, err = body.ParseXML(r.q.Body, body.XMLOptions{MaxNodes: maxXMLNodes, Charset: r.contentType.Charset})
	if err != nil {
		return r.doubtError(err)
	}
	return true
}

// xmlAt follows a dotted pointer of local names. A number after a name picks one of several children of that name;
// without it several are doubtful, and so is a child whose name differs in case alone. @name at the end is an attribute. In
// no document everything is absent.
func xmlAt(doc *body.XML, pointer string) value {
	n := &body.Element{}
	if doc != nil {
		n.Children = []*body.Element{doc.Root}
	}

	keys := strings.Split(pointer, ".")
	for i := 0; i < len(keys); i++ {
		if name, ok := strings.CutPrefix(keys[i], "@"); ok {
			return xmlAttribute(n, name)
		}

		same, isClear := childrenNamed(n, keys[i])
		if !isClear {
			return value{state: doubtful}
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
			return value{}
		case !numbered && len(same) > 1:
			return value{state: doubtful}
		}
		n = same[index]
	}
	if doc != nil {
		doc.Trim(n)
	}
	return xmlValue(n)
}

// childrenNamed returns the children of that local name. It is not clear if another child differs from it only in case,
// because some readers take that one.
func childrenNamed(n *body.Element, name string) (same []*body.Element, isClear bool) {
	for _, child := range n.Children {
		switch {
		case child.Local == name:
			same = append(same, child)
		case strings.EqualFold(child.Local, name):
			return nil, false
		}
	}
	return same, true
}

// xmlAttribute is the value of an attribute. One of that local name in two name spaces is doubtful, and so is one in a name
// space, which an application that asks for the plain name does not see, and another that differs only in case.
func xmlAttribute(n *body.Element, name string) value {
	var v value
	for _, a := range n.Attrs {
		if !strings.EqualFold(a.Local, name) {
			continue
		}
		if v.state != absent || a.Local != name || a.Prefix != "" || !text.IsClear(a.Value) {
			return value{state: doubtful}
		}
		v = value{text: a.Value, state: present}
	}
	return v
}

// isElsewhere reports whether an attribute says that the value of its element is not the text in it: SOAP's references to
// another element (href, ref) or to an attachment, and null.
func isElsewhere(a *body.Attr) bool {
	switch strings.ToLower(a.Local) {
	case "href", "ref":
		return strings.HasPrefix(a.Value, "#") || strings.HasPrefix(strings.ToLower(a.Value), "cid:")
	case "nil", "null":
		return a.Prefix != "" && a.Value != "false" && a.Value != "0"
	}
	return false
}

// xmlValue is the text of an element, or the names of the elements in it. An element with both is doubtful, and so is one
// whose value stands elsewhere.
func xmlValue(n *body.Element) value {
	for i := range n.Attrs {
		if isElsewhere(&n.Attrs[i]) {
			return value{state: doubtful}
		}
	}
	content := strings.TrimSpace(n.Text)
	if len(n.Children) == 0 {
		if !text.IsClear(content) {
			return value{state: doubtful}
		}
		return value{text: content, state: present}
	}
	if content != "" {
		return value{state: doubtful}
	}

	names := make([]string, len(n.Children))
	for i, child := range n.Children {
		names[i] = child.Local
	}
	return value{text: strings.Join(names, " "), state: present}
}
