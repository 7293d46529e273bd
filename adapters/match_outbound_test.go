package adapters

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

// sentBody is the body that a request goes out with, and its Content-Type.
func sentBody(t testing.TB, q *Query, out *Outbound) (content []byte, contentType string) {
	t.Helper()
	switch {
	case out.IsUpload():
		r, contentType, length, err := out.OpenUpload(-1)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if length >= 0 && length != int64(len(content)) {
			t.Fatalf("a form of %d bytes has the length %d", len(content), length)
		}
		return content, contentType
	case out.RewritesBody:
		return out.Body, out.ContentType
	}
	return q.Body, q.ContentType
}

// valuesOf reads a body with the standard library alone: all values under a name, wherever a server may look for them.
func valuesOf(t testing.TB, content []byte, contentType, name string) (values []string) {
	t.Helper()
	if len(content) == 0 {
		return nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("Content-Type %q: %v", contentType, err)
	}

	switch media {
	case "application/x-www-form-urlencoded":
		all, err := url.ParseQuery(string(content))
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		return all[name]

	case "multipart/form-data":
		parts := multipart.NewReader(bytes.NewReader(content), params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return values
			}
			if err != nil {
				t.Fatalf("%q: %v", content, err)
			}
			text, _ := io.ReadAll(part)
			if part.FormName() == name {
				values = append(values, string(text))
			}
		}

	case "application/json":
		var object map[string]any
		if err := json.Unmarshal(content, &object); err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		for key, value := range object {
			if text, ok := value.(string); ok && strings.EqualFold(key, name) {
				values = append(values, text)
			}
		}
		return values

	case "text/xml":
		decoder := xml.NewDecoder(bytes.NewReader(content))
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				return values
			}
			if err != nil {
				t.Fatalf("%q: %v", content, err)
			}
			start, ok := token.(xml.StartElement)
			if ok && start.Name.Local == name {
				var text string
				if err := decoder.DecodeElement(&text, &start); err != nil {
					t.Fatalf("%q: %v", content, err)
				}
				values = append(values, strings.TrimSpace(text))
			}
		}
	}
	t.Fatalf("a body of the type %q goes out", contentType)
	return nil
}

func loadReaders(t testing.TB) *Adapter {
	return loadActions(t, "",
		`name: form, match: {method: POST, path: /form, form: {id: "7"}}`,
		`name: json, match: {method: POST, path: /json, json: {id: "7"}}`,
		`name: xml, match: {method: POST, path: /xml, xml: {a.id: "7"}}`,
		`name: show, match: {method: POST, path: /show, query: {id: "7"}}`)
}

// FuzzI11ApplicationReadsWhatWasDecided compares with the readers of the standard library, which are lax: what they find
// in the request that goes out is what the action was decided by.
func FuzzI11ApplicationReadsWhatWasDecided(f *testing.F) {
	const form = "multipart/form-data; boundary=b"
	for _, s := range [][3]string{
		{"/form", formType, "id=7&x=y"},
		{"/form", formType + "; charset=iso-8859-1", "%69d=7&&x"},
		{"/form", form, "x\r\n--b\r\nContent-Disposition: form-data; name=id\r\n\r\n7\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\\\"b\"\r\n\r\nx\r\n--b--\r\n"},
		{"/form", form, "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--b\r\nContent-Disposition: form-data; name=\"x\"; filename*=utf-8''a%22\r\n\r\nx\r\n--b--\r\n"},
		{"/json", "application/json", `{"id":"\u0037","x":{"ID":1}}`},
		{"/xml", "text/xml", `<?xml version="1.0"?><a><id><![CDATA[7]]></id><b c="d"/></a>`},
		{"/show", "text/plain", "id=7&x=%20"},
	} {
		f.Add(s[0], s[1], []byte(s[2]))
	}
	a := loadReaders(f)

	f.Fuzz(func(t *testing.T, path, contentType string, content []byte) {
		q := Query{Method: "POST", Path: path, ContentType: contentType, Body: content}
		if path == "/show" {
			q.RawQuery, q.Body, q.NoBody, q.ContentType = string(content), nil, true, ""
		}
		action, out, why := a.Read(q)
		if why != nil {
			return
		}

		var got []string
		if action.Name == "show" {
			if !out.RewritesQuery {
				t.Fatal("a query that decides goes out as it came")
			}
			all, err := url.ParseQuery(out.Query)
			if err != nil {
				t.Fatalf("%q: %v", out.Query, err)
			}
			got = all["id"]
		} else {
			sent, sentType := sentBody(t, &q, &out)
			got = valuesOf(t, sent, sentType, "id")
		}
		if len(got) != 1 || got[0] != "7" {
			t.Fatalf("%s %q %q: is the action %s of id 7, and the application reads %q", path, contentType, content, action.Name, got)
		}
	})
}

func TestI11VerbatimBodiesDecideNothing(t *testing.T) {
	for _, condition := range []string{`form: {a: b}`, `param: {a: b}`, `json: {a: b}`, `keys: {"": [a]}`, `xml: {a: b}`, `graphql: {type: query, field: x}`,
		`only: []`, `batch: true`, `content_type: text/plain`} {
		text := "name: app\n" + strings.Replace(hostsAndInterim, "HOST", "app.example", 1) + "login: {kind: basic}\nactions:\n" +
			"  - {name: x, verbatim: true, match: {path: /x, " + condition + "}}\n"
		if _, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}}); err == nil || !strings.Contains(err.Error(), "sends its body as it came") {
			t.Errorf("%s: %v, want an error about verbatim", condition, err)
		}
	}

	a := loadActions(t, "",
		`name: check, match: {method: POST, path: /signed, form: {do: check}}`,
		`name: raw, verbatim: true, match: {method: POST, path: ["/signed", "/raw"]}`)
	for _, c := range []struct{ path, want string }{{"/raw", "raw"}, {"/signed", "refused"}} {
		q := Query{Method: "POST", Path: c.path, ContentType: formType, Body: []byte("do=x&")}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestAdviceOnBodies(t *testing.T) {
	text := "name: app\n" + strings.Replace(hostsAndInterim, "HOST", "app.example", 1) + `headers: {pass: [X-Hub-Signature-256, X-HTTP-Method-Override]}
login: {kind: basic, ended: [{status: 401}]}
actions:
  - {name: hook, match: {method: POST, path: /hook, header: {X-Hub-Signature-256: "*"}, json: {op: get}}}
  - {name: dot, match: {method: POST, path: /dot, form: {form.id: "7"}}}
  - {name: underscore, match: {method: POST, path: /underscore, form: {form_id: "7"}}}
  - {name: put, match: {method: PUT, path: "/files/{path...}"}}
  - {name: check, match: {method: POST, path: /signed, form: {do: check}}}
  - {name: raw, verbatim: true, match: {method: POST, path: /signed}}
`
	var got []string
	src := []Source{{Name: "app.yaml", Text: []byte(text)}}
	for _, p := range append(Advise(src), Harden(src)...) {
		got = append(got, p.Error())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{`action "hook" looks at the body`, `action "raw" sends its body as it came, but "check" before it`,
		`action "dot" is decided by form.id, and another action by form_id`, `the header X-HTTP-Method-Override is held although headers.pass names it`, `action "put" judges the bodies that are put`} {
		if !strings.Contains(all, want) {
			t.Errorf("no advice %q in:\n%s", want, all)
		}
	}
}

// TestI11GraphQLCommentsEndInOnePlace: some servers end a comment at characters that others skip.
func TestI11GraphQLCommentsEndInOnePlace(t *testing.T) {
	a := loadActions(t, "", `name: ask, match: {method: POST, path: /graphql, graphql: {type: query, field: page}}`)
	for _, c := range []struct{ document, want string }{
		{`{ page # x\n }`, "ask"},
		{`{ page # x\r }`, "ask"},
		{`{ page # \r users }`, "refused"},
		{`{ page # \u2028 users \n }`, "refused"},
		{`{ page # \u2029 users \n }`, "refused"},
		{`{ page # \u0085 users \n }`, "refused"},
		{`{ page # \u000b users \n }`, "refused"},
		{`{ page # \ufeff users \n }`, "refused"},
	} {
		q := Query{Method: "POST", Path: "/graphql", ContentType: "application/json", Body: []byte(`{"query":"` + c.document + `"}`)}
		if got := verdictOf(a, q); got != c.want {
			t.Errorf("%s: %s, want %s", c.document, got, c.want)
		}
	}
}
