package adapters

import (
	"regexp"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// templateVariables finds the variables of a template.
var templateVariables = regexp.MustCompile(`\$\{([a-zA-Z0-9_]+)`)

// secretTemplates tells templates with a secret from others: with any field of the account's secret but its username.
// Values that a step takes from a page are not secrets, and values that are made from secrets are.
type secretTemplates struct {
	taken map[string]bool   // names that are no secrets
	made  map[string]string // names that let makes, with their templates
}

func newSecretTemplates(l *LoginSpec) secretTemplates {
	s := secretTemplates{taken: map[string]bool{"username": true}, made: map[string]string{}}
	for i := range l.Steps {
		for name := range l.Steps[i].Take {
			s.taken[name] = true
		}
		for name, template := range l.Steps[i].Let {
			s.made[name] = template
		}
	}
	return s
}

// maxMade bounds how many values are made from one another.
const maxMade = 8

func (s *secretTemplates) isSecret(template string, depth int) bool {
	for _, m := range templateVariables.FindAllStringSubmatch(template, -1) {
		if from, isMade := s.made[m[1]]; isMade {
			if depth < maxMade && s.isSecret(from, depth+1) {
				return true
			}
		} else if !s.taken[m[1]] {
			return true
		}
	}
	return false
}

// loginHeadersOf are the header fields into which the steps of a login put a secret.
func loginHeadersOf(l *LoginSpec) []string {
	secrets := newSecretTemplates(l)
	var fields []string
	for i := range l.Steps {
		for name, template := range l.Steps[i].Headers {
			if secrets.isSecret(template, 0) && !text.ContainsName(fields, name) && !strings.EqualFold(name, "Cookie") {
				fields = append(fields, name)
			}
		}
	}
	slices.Sort(fields)
	return fields
}

// loginFieldsOf are the names of the fields into which the steps of a login put a secret: of queries, forms, JSON and
// other bodies.
func loginFieldsOf(l *LoginSpec) []string {
	f := fieldFinder{secrets: newSecretTemplates(l)}
	for i := range l.Steps {
		step := &l.Steps[i]
		for name, template := range step.Form {
			f.add(name, template)
		}
		f.addJSON("", step.JSON)
		for _, target := range []string{step.Get, step.Post, step.Put} {
			_, query, _ := strings.Cut(target, "?")
			f.addPairs(query)
		}
		f.addBody(step.Body)
	}
	slices.Sort(f.fields)
	return f.fields
}

// fieldFinder collects the names of fields with secrets.
type fieldFinder struct {
	secrets secretTemplates
	fields  []string
}

func (f *fieldFinder) add(name, template string) {
	name = strings.TrimSpace(name)
	if isDocumentName(name) {
		walkGraphQL(template, func(argument, inner string) { f.add(argument, inner) })
		return
	}
	if name != "" && !strings.Contains(name, "$") && f.secrets.isSecret(template, 0) && !slices.Contains(f.fields, name) {
		f.fields = append(f.fields, name)
	}
}

func (f *fieldFinder) addJSON(name string, node any) {
	switch node := node.(type) {
	case string:
		f.add(name, node)
	case map[string]any:
		for key, member := range node {
			f.addJSON(key, member)
		}
	case []any:
		for _, member := range node {
			f.addJSON(name, member)
		}
	}
}

func (f *fieldFinder) addPairs(query string) {
	for pair := range strings.SplitSeq(query, "&") {
		name, template, _ := strings.Cut(pair, "=")
		f.add(credential.Unescape(name), template)
	}
}

// bodyNames finds name=${…}, "name": "${…}" and name: ${…} in a body of another type.
var bodyNames = regexp.MustCompile(`([\pL\pN_.\[\]-]+)["']?\s*[=:]\s*["']?(\$\{[^}]*\})`)

// addBody finds the names in a body that is a template as a whole: XML, or any text with pairs.
func (f *fieldFinder) addBody(template string) {
	if template == "" {
		return
	}
	xml, err := body.ParseXML([]byte(template), body.XMLOptions{})
	if err == nil && xml.Root != nil {
		walkXML(xml.Root, func(name, value string) { f.add(name, value) })
		return
	}
	for _, m := range bodyNames.FindAllStringSubmatch(template, -1) {
		f.add(m[1], m[2])
	}
}

// walkXML calls yield for every value in XML: the text of an element, by the element's name; an attribute, by its own; and
// what stands next to a name, as in a struct of XML-RPC, by that name.
func walkXML(e *body.Element, yield func(name, value string)) {
	if value := strings.TrimSpace(e.Text); value != "" || len(e.Children) == 0 {
		yield(e.Local, value)
	}
	for i := range e.Attrs {
		yield(e.Attrs[i].Local, e.Attrs[i].Value)
	}
	for _, child := range e.Children {
		walkXML(child, yield)
	}
	if name, value, isPair := pairInXML(e); isPair {
		yield(name, value)
	}
}

// pairInXML reads an element that holds a name and a value, as members of XML-RPC and properties of many formats do.
func pairInXML(e *body.Element) (name, value string, isPair bool) {
	hasValue := false
	for i := range e.Attrs {
		switch attr := &e.Attrs[i]; strings.ToLower(attr.Local) {
		case "name", "key":
			name = attr.Value
		case "value":
			value, hasValue = attr.Value, true
		}
	}
	if !hasValue && name != "" && len(e.Children) == 0 {
		return name, strings.TrimSpace(e.Text), true
	}
	for _, child := range e.Children {
		switch {
		case strings.EqualFold(child.Local, "name") || strings.EqualFold(child.Local, "key"):
			name = strings.TrimSpace(child.Text)
		case strings.EqualFold(child.Local, "value"):
			leaf := child
			for len(leaf.Children) == 1 {
				leaf = leaf.Children[0]
			}
			value, hasValue = strings.TrimSpace(leaf.Text), len(leaf.Children) == 0
		}
	}
	return name, value, hasValue && name != ""
}
