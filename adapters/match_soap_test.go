package adapters

import (
	"strings"
	"testing"
)

const soapEnvelope = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>BODY</s:Body></s:Envelope>`

// TestI11SOAPActionsNameTheOperation: many servers go by the action outside of the body.
func TestI11SOAPActionsNameTheOperation(t *testing.T) {
	a := loadActions(t, "",
		`name: named, match: {method: POST, path: /named, header: {SOAPAction: "urn:wiki#{op}"}, xml: {Envelope.Body: "{op}"}}, resource: "{op}"`,
		`name: body, match: {method: POST, path: /body, xml: {Envelope.Body: getPage}}`)
	content := strings.ReplaceAll(soapEnvelope, "BODY", "<getPage><id>7</id></getPage>")
	for _, c := range []struct{ path, contentType, field, want, sentType string }{
		{"/named", `application/soap+xml; charset=utf-8; action="urn:wiki#getPage"`, "", "named getPage", `application/soap+xml; action="urn:wiki#getPage"`},
		{"/named", `application/soap+xml; action="urn:wiki#getPage"`, `"urn:wiki#getPage"`, "named getPage", `application/soap+xml; action="urn:wiki#getPage"`},
		{"/named", "text/xml", `"urn:wiki#getPage"`, "named getPage", "text/xml"},
		{"/named", `application/soap+xml; action="urn:wiki#deletePage"`, "", "refused", ""}, {"/named", `application/soap+xml; action="urn:wiki#getPage"`, `"urn:wiki#deletePage"`, "refused", ""},
		{"/named", `application/soap+xml; action="urn:wiki#getPage"; action="urn:wiki#deletePage"`, "", "refused", ""},
		{"/body", "application/soap+xml", "", "body", "application/soap+xml"}, {"/body", `application/soap+xml; action="http://a.example/I/getPage"`, "", "body", `application/soap+xml; action="http://a.example/I/getPage"`},
		{"/body", "application/soap+xml; action=getPage", "", "body", "application/soap+xml; action=getPage"}, {"/body", "text/xml", `""`, "body", "text/xml"}, {"/body", "text/xml", `urn:x#getPage`, "body", "text/xml"},
		{"/body", `application/soap+xml; action="urn:wiki#deletePage"`, "", "refused", ""}, {"/body", "text/xml", `"urn:wiki#deletePage"`, "refused", ""}, {"/body", "text/xml", "urn:wiki#getPage;deletePage", "refused", ""},
		{"/body", `application/soap+xml; action="getPage\"; x=\"getPage"`, "", "refused", ""}, {"/body", `application/soap+xml; action="a;action=b#getPage"`, "", "refused", ""}, {"/body", "application/soap+xml; action=\"\u00e4#getPage\"", "", "refused", ""},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: c.contentType, Body: []byte(content)}
		if c.field != "" {
			q.Fields = append(q.Fields, Field{Name: "SOAPAction", Value: c.field})
		}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s %s %s: got %q, want %q", c.path, c.contentType, c.field, got, c.want)
			continue
		}
		if _, out, why := a.Read(q); why == nil && out.ContentType != c.sentType {
			t.Errorf("%s: %q goes out, want %q", c.contentType, out.ContentType, c.sentType)
		}
	}
}

// TestI11AddressedActionsNameTheOperation: servers with WS-Addressing go by an element in the header.
func TestI11AddressedActionsNameTheOperation(t *testing.T) {
	a := loadActions(t, "",
		`name: named, match: {method: POST, path: /named, header: {SOAPAction: "urn:wiki#getPage"}, xml: {Envelope.Body: getPage}}`,
		`name: body, match: {method: POST, path: /body, xml: {Envelope.Body: getPage}}`)
	for action, isSame := range map[string]bool{
		"<w:Action>urn:wiki#getPage</w:Action>": true, "<w:Action>http://a.example/I/getPage</w:Action>": true, "<w:Action>getPageRequest</w:Action>": true, "": true, "<w:To>urn:wiki#deletePage</w:To>": true,
		"<w:Action>urn:wiki#deletePage</w:Action>": false, "<Action>deletePage</Action>": false, "<w:Action>urn:wiki#getPage</w:Action><w:Action>urn:wiki#deletePage</w:Action>": false,
		"<w:Action/>": false, "<w:Action><b>getPage</b></w:Action>": false, "<w:Action>urn:wiki#delete<!-- -->Page</w:Action>": false,
	} {
		content := strings.ReplaceAll(soapEnvelope, "BODY", "<getPage><id>7</id></getPage>")
		content = strings.Replace(content, "<s:Body>", `<s:Header xmlns:w="http://www.w3.org/2005/08/addressing">`+action+"</s:Header><s:Body>", 1)
		for path, name := range map[string]string{"/named": "named", "/body": "body"} {
			want := map[bool]string{true: name, false: "refused"}[isSame]
			q := Query{Method: "POST", Path: path, ContentType: "text/xml", Body: []byte(content), Fields: []Field{{Name: "SOAPAction", Value: `"urn:wiki#getPage"`}}}
			if got := verdictOf(a, q); got != want {
				t.Errorf("%s with %s in the header: got %q, want %q", path, action, got, want)
			}
		}
	}
}

// TestI11XMLValuesThatStandElsewhere: an attribute may say that the text of an element is not its value.
func TestI11XMLValuesThatStandElsewhere(t *testing.T) {
	a := loadActions(t, "", `name: get, match: {method: POST, path: /xml, xml: {a.id: "7", a.@v: ["1", ""]}}`)
	for content, want := range map[string]string{
		`<a v="1"><id>7</id></a>`: "get", `<a><id link="x" href="/a">7</id></a>`: "get", `<a xmlns:i="u"><id i:nil="false">7</id></a>`: "get", `<a nil="true"><id>7</id></a>`: "get",
		`<a xmlns:b="u" b:v="1"><id>7</id></a>`: "refused", `<a v="1" xmlns:b="u" b:v="2"><id>7</id></a>`: "refused", `<a><id href="#m">7</id></a>`: "refused", `<a xmlns:e="u"><id e:ref="#m">7</id></a>`: "refused",
		`<a><id href="cid:m">7</id></a>`: "refused", `<a xmlns:i="u"><id i:nil="true">7</id></a>`: "refused", `<a xmlns:i="u"><id i:nil="1">7</id></a>`: "refused",
	} {
		if got := verdictOf(a, Query{Method: "POST", Path: "/xml", ContentType: "text/xml", Body: []byte(content)}); got != want {
			t.Errorf("%s: got %q, want %q", content, got, want)
		}
	}
}

// TestI11ContentTypeParametersThatAreMeant go out, and others do not.
func TestI11ContentTypeParametersThatAreMeant(t *testing.T) {
	a := loadActions(t, "", `name: json, match: {method: POST, path: /json, json: {a: "1"}}`)
	for contentType, want := range map[string]string{
		"application/json;odata=verbose;charset=utf-8": "application/json; odata=verbose", "application/json; IEEE754Compatible=true; x=y": "application/json; ieee754compatible=true",
		`application/vnd.api+json; ext="https://a.example/ext"; action=x`: `application/vnd.api+json; ext="https://a.example/ext"`, `application/json; profile="a,b"`: "", `application/json; version="1;charset"`: "",
	} {
		_, out, why := a.Read(Query{Method: "POST", Path: "/json", ContentType: contentType, Body: []byte(`{"a":1}`)})
		if got := out.ContentType; (why != nil) != (want == "") || why == nil && got != want {
			t.Errorf("%s: %q goes out (%v), want %q", contentType, got, why, want)
		}
	}
}

// TestI11XMLGoesOutAsItWasMatched: values are matched without the white space around them, and sent so.
func TestI11XMLGoesOutAsItWasMatched(t *testing.T) {
	a := loadActions(t, "", `name: get, match: {method: POST, path: /xml, xml: {a.id: "7", a.b.c: ["x", ""]}}`)
	for content, want := range map[string]string{
		"<a>\n <id>\n 7\t</id>\n <t> 7 </t></a>": "<a>\n <id>7</id>\n <t> 7 </t></a>", "<a><b><c> x&#xa0;</c></b><id>&#32;7&#13;</id></a>": "<a><b><c>x</c></b><id>7</id></a>",
		"<a><id><![CDATA[ 7]]> </id></a>": "<a><id>7</id></a>", "<a><id>7</id></a>": "<a><id>7</id></a>",
	} {
		_, out, why := a.Read(Query{Method: "POST", Path: "/xml", ContentType: "text/xml", Body: []byte(content)})
		if why != nil || string(out.Body) != want {
			t.Errorf("%s: %s goes out (%v), want %s", content, out.Body, why, want)
		}
	}
}

// TestI11FormsInLatin1 keep their label if a byte beyond ASCII needs it, and such a byte decides nothing.
func TestI11FormsInLatin1(t *testing.T) {
	a := loadActions(t, "",
		`name: save, match: {method: POST, path: /form, form: {do: save}}`,
		`name: titled, match: {method: POST, path: /title, param: {title: "{title}"}}, resource: "{title}"`)
	for _, c := range []struct{ path, charset, content, want, sentType string }{
		{"/form", "ISO-8859-1", "do=save&title=Zurich", "save", formType}, {"/form", "ISO-8859-1", "do=save&title=Z%FCrich", "save", formType + "; charset=iso-8859-1"},
		{"/form", "windows-1252", "do=save&title=Z%C3%BCrich", "save", formType + "; charset=windows-1252"}, {"/form", "utf-8", "do=save&title=Z%C3%BCrich", "save", formType + "; charset=UTF-8"},
		{"/form", "ISO-8859-1", "do=save&title=Z\xfcrich", "refused", ""}, {"/form", "ISO-8859-1", "do=save&t%FCtle=x", "refused", ""}, {"/form", "utf-7", "do=save", "refused", ""},
		{"/title", "ISO-8859-1", "title=Zurich", "titled Zurich", formType}, {"/title", "ISO-8859-1", "title=Z%FCrich", "refused", ""}, {"/title", "ISO-8859-1", "title=Z%C3%BCrich", "refused", ""},
		{"/title?title=Z%C3%BC", "ISO-8859-1", "x=%FC", "refused", ""},
	} {
		q := Query{Method: "POST", ContentType: formType + "; charset=" + c.charset, Body: []byte(c.content)}
		q.Path, q.RawQuery, _ = strings.Cut(c.path, "?")
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s %s %s: got %q, want %q", c.path, c.charset, c.content, got, c.want)
			continue
		}
		if _, out, why := a.Read(q); why == nil && out.ContentType != c.sentType {
			t.Errorf("%s %s: %q goes out, want %q", c.charset, c.content, out.ContentType, c.sentType)
		}
	}
}
