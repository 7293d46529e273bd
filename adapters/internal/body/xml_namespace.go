package body

import "strings"

// The namespaces that are reserved (Namespaces in XML 1.0, section 3).
const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

// declaration is what a prefix stood for before an element declared it.
type declaration struct {
	prefix, space string
	known         bool
}

// declare notes the namespace of a prefix, "" for the default namespace.
func (p *xmlParser) declare(prefix, space string) error {
	switch {
	case prefix == "xml" && space == xmlSpace:
	case prefix == "xml" || prefix == "xmlns" || space == xmlSpace || space == xmlnsSpace:
		return errXMLNamespace
	case prefix != "" && space == "" || !isPlainURI(space):
		return errXMLNamespace
	}
	old, known := p.spaces[prefix]
	p.undo = append(p.undo, declaration{prefix, old, known})
	p.spaces[prefix] = space
	return nil
}

// isPlainURI reports a namespace that is written without escapes: libxml2 leaves
// those in the names of namespaces as they are.
func isPlainURI(space string) bool {
	for i := 0; i < len(space); i++ {
		if space[i] <= ' ' || space[i] >= 0x7f || strings.IndexByte(`&<>"`, space[i]) >= 0 {
			return false
		}
	}
	return true
}

// resolve fills in namespaces, once all declarations of the start tag are known.
func (p *xmlParser) resolve(e *Element) error {
	var known bool
	if e.Space, known = p.spaces[e.Prefix]; !known && e.Prefix != "" {
		return errXMLNamespace
	}

	var names nameSet
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if a.Prefix == "" {
			continue
		}
		if a.Space, known = p.spaces[a.Prefix]; !known {
			return errXMLNamespace
		}
		if !names.add(a.Space + " " + a.Local) {
			return errXMLDuplicate
		}
	}
	return nil
}

// nameSet is a set of names that is small nearly always.
type nameSet struct {
	few  []string
	many map[string]bool
}

// add adds a name and reports whether it is new.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		isNew := !s.many[name]
		s.many[name] = true
		return isNew
	}
	for _, other := range s.few {
		if other == name {
			return false
		}
	}
	if s.few = append(s.few, name); len(s.few) > fewKeys {
		s.many = map[string]bool{}
		for _, other := range s.few {
			s.many[other] = true
		}
	}
	return true
}
