package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

const soapActionHeader = "SOAPAction"

// soapAction is the operation that a SOAP request names outside of its body: in the field SOAPAction (SOAP 1.1), or in the
// parameter action of the Content-Type (SOAP 1.2). One that has both with different values is doubtful.
func (r *request) soapAction() value {
	field := r.fieldValue(soapActionHeader)
	if media, ok := r.mediaType(); !ok || media != body.SOAPType {
		return field
	}

	action := r.contentType.Other("action")
	switch {
	case action == "":
		return field
	case field.state == absent || field.state == present && field.text == action:
		return value{text: action, state: present}
	}
	return value{state: doubtful}
}

// doubtAction is about an operation that is named twice.
const doubtAction = "the SOAP action names another operation than the body, and the adapter does not say which one decides (match.header with SOAPAction)"

// checkSOAPAction reports whether a SOAP request that a rule matched by its body names no other operation outside of it,
// by which many servers go. The last word of the action must be the element in the body, unless the rule looks at the
// action. The element Action in the header, by which servers with WS-Addressing go, must name the same operation.
func (r *request) checkSOAPAction(rule *rule) bool {
	if r.xmlState != parsed || r.xml == nil || r.xml.Root.Local != "Envelope" {
		return true
	}
	action := r.soapAction()
	if !r.checkAddressedAction(action) {
		return false
	}
	for i := range rule.header {
		if strings.EqualFold(rule.header[i].key, soapActionHeader) {
			return true
		}
	}

	if action.state == doubtful {
		return r.doubtBody(doubtAction)
	}
	if action.text == "" {
		return true
	}
	return r.namesOperation(action.text) || r.doubtBody(doubtAction)
}

// namesOperation reports whether the last word of an action is the element in the body of the envelope.
func (r *request) namesOperation(action string) bool {
	last := action[strings.LastIndexAny(action, "/#:?")+1:]
	operation := xmlAt(r.xml, "Envelope.Body")
	return operation.state == present && (last == operation.text || last+"Request" == operation.text || last == operation.text+"Request")
}

// checkAddressedAction checks the elements Action in the header of the envelope: each must be the action outside of it, or
// name the operation in the body.
func (r *request) checkAddressedAction(outside value) bool {
	headers, isClear := childrenNamed(r.xml.Root, "Header")
	if !isClear {
		return r.doubtBody(doubtAddressed)
	}
	for _, header := range headers {
		actions, isClear := childrenNamed(header, "Action")
		if !isClear {
			return r.doubtBody(doubtAddressed)
		}
		for _, action := range actions {
			said := strings.TrimSpace(action.Text)
			isSame := outside.state == present && said == outside.text
			if len(action.Children) > 0 || !isSame && !r.namesOperation(said) {
				return r.doubtBody(doubtAddressed)
			}
		}
	}
	return true
}

const doubtAddressed = "the element Action in the SOAP header names another operation than the body"

// fieldValue is the value of one header field without the double quotes around it. A field that comes twice is doubtful.
func (r *request) fieldValue(name string) value {
	var v value
	for i := range r.q.Fields {
		f := &r.q.Fields[i]
		if !text.SameName(f.Name, name) {
			continue
		}

		content := r.adapter.asForwarded(f.Name, f.Value)
		if n := len(content); n >= 2 && content[0] == '"' && content[n-1] == '"' {
			content = content[1 : n-1]
		}
		if v.state != absent || !text.IsClear(content) {
			return value{state: doubtful}
		}
		v = value{text: content, state: present}
	}
	return v
}
