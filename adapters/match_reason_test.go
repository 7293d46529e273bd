package adapters

import (
	"strings"
	"testing"
)

func TestI7ReasonSaysWhatIsInTheWay(t *testing.T) {
	a := loadActions(t, "",
		`name: admin, privileged: true, match: {path: /doc, param: {do: admin}}`,
		`name: save, match: {method: POST, path: /doc, query: {id: "{id:digits}"}, form: {do: save}, only: [text]}`,
		`name: call, match: {method: POST, path: /rpc, content_type: application/json, json: {method: get}, keys: {params: [id]}}`,
		`name: soap, match: {method: POST, path: /soap, header: {SOAPAction: get}, xml: {Envelope.Body: get}}`,
		`name: ask, match: {method: POST, path: /graphql, graphql: {type: query, field: page, argument: {id: "{id}"}}, where: {id: "[0-9]+"}}`)

	const (
		json   = "application/json"
		unread = ", so no action after it is tried"
	)
	for _, c := range []struct {
		method, target, ctype, body string
		kind                        ReasonKind
		want                        string
	}{
		{"GET", "/nowhere", "", "", NoActionMatches, "no action has this path"},
		{"GET", "/doc?id=7", "", "", NoActionMatches, "admin: param do does not fit"},
		{"POST", "/doc?id=7", formType, "do=save&text=x&rights=all", NoActionMatches, "save: only does not list the field rights"},
		{"POST", "/doc?id=7&rights=all", formType, "do=save&text=x", NoActionMatches, "save: only does not list the parameter rights"},
		{"POST", "/doc?id=x", formType, "do=save", NoActionMatches, "admin: param do does not fit"},
		{"POST", "/rpc", json, `{"method":"get","params":{"id":1,"secret":2}}`, NoActionMatches, "call: keys of params do not fit"},
		{"POST", "/rpc", json, `[{"method":"get"}]`, NoActionMatches, "call: json method does not fit"},
		{"POST", "/rpc", "text/plain", "x", NoActionMatches, "call: content_type does not fit"},
		{"GET", "/rpc", "", "", NoActionMatches, "call: the method is GET"},
		{"POST", "/soap", "text/xml", "<Envelope><Body><put/></Body></Envelope>", NoActionMatches, "soap: xml Envelope.Body does not fit"},
		{"POST", "/graphql", json, `{"query":"mutation{page(id:7)}"}`, NoActionMatches, "ask: graphql type does not fit"},
		{"POST", "/graphql", json, `{"query":"{user(id:7)}"}`, NoActionMatches, "ask: graphql field does not fit"},
		{"POST", "/graphql", json, `{"query":"{page}"}`, NoActionMatches, "ask: graphql argument id does not fit"},
		{"POST", "/graphql", json, `{"query":"{page(id:x)}"}`, NoActionMatches, "ask: where id does not fit"},

		{"GET", "/doc%2f", "", "", AmbiguousPath, "the path can be read in two ways"},
		{"GET", "/doc?do[]=x", "", "", AmbiguousQuery, "the query can be read in two ways: do[] may be taken for a parameter that an action decides by"},
		{"GET", "/doc?_method=put", "", "", AmbiguousQuery, "the query can be read in two ways: _method may be taken for the method"},
		{"GET", "/doc?a=1;b=2", "", "", AmbiguousQuery, "the query can be read in two ways: a parameter holds a bare semicolon, at which some servers begin another parameter: write it as %3B"},
		{"GET", "/doc?a=%zz", "", "", AmbiguousQuery, "the query can be read in two ways: a parameter holds a percent sign that is not followed by two hexadecimal digits: write it as %25"},
		{"POST", "/doc?id=7", formType, "do=save&do=admin", AmbiguousValue, "admin: param do comes twice, is too long to match, or cannot be read as one value" + unread},
		{"POST", "/doc?id=7", formType, "do[x]=save", UnreadableBody, "admin: the body cannot be read without doubt: do[x] may be taken for a parameter that an action decides by" + unread},
		{"POST", "/rpc", "", "x", AmbiguousValue, "call: content_type cannot be told" + unread},
		{"POST", "/rpc", json, `{"method":"get"`, UnreadableBody, "call: the body cannot be read without doubt: the body is not JSON: send one value as RFC 8259 writes it" + unread},
		{"POST", "/graphql", json, `{"query":"{page"}`, UnreadableBody, "ask: the body cannot be read without doubt: it is not what the action reads" + unread},
	} {
		path, query, _ := strings.Cut(c.target, "?")
		q := Query{Method: c.method, Path: path, RawQuery: query, ContentType: c.ctype, Body: []byte(c.body)}
		if c.ctype == "text/xml" {
			q.Fields = []Field{{Name: "SOAPAction", Value: `"get"`}}
		}

		action, why := a.Classify(q)
		if why == nil {
			t.Errorf("%s %s %s: is %s, want a reason why not", c.method, c.target, c.body, action.Name)
			continue
		}
		if why.Kind != c.kind || why.Lines(true)[0] != c.want {
			t.Errorf("%s %s %s: got  %q %q\nwant %q %q", c.method, c.target, c.body, why.Kind, why.Lines(true), c.kind, c.want)
		}
		if hidden := strings.Join(why.Lines(false), " "); strings.Contains(hidden, "rights") || strings.Contains(hidden, "[") || strings.Contains(hidden, "_method") {
			t.Errorf("%s %s %s: a name of the request's own is in %q", c.method, c.target, c.body, hidden)
		}
	}
}

func TestI7ReasonOfABodyThatIsCutOff(t *testing.T) {
	a := loadActions(t, "method_override: {param: _method}\n",
		`name: save, match: {method: POST, path: /doc, form: {do: save}}`,
		`name: call, match: {method: POST, path: /rpc, json: {method: get}}`)
	for _, q := range []Query{
		{Method: "POST", Path: "/doc", ContentType: formType, Body: []byte("do=save"), Truncated: true},
		{Method: "POST", Path: "/rpc", ContentType: "application/json", Body: []byte(`{"method":`), Truncated: true},
		{Method: "POST", Path: "/rpc", ContentType: "application/json", Truncated: true},
	} {
		if _, why := a.Classify(q); why == nil || why.Kind != BodyTooLong {
			t.Errorf("%s %s: %+v, want the reason %q", q.Path, q.Body, why, BodyTooLong)
		}
	}
}

func TestI7ReasonOfTwoMethods(t *testing.T) {
	a := loadActions(t, "method_override: {param: _method, header: X-Method}\n", `name: edit, match: {method: PUT, path: /doc}`)
	q := Query{Method: "POST", Path: "/doc", RawQuery: "_method=put", Fields: []Field{{Name: "X-Method", Value: "delete"}}}

	if _, why := a.Classify(q); why == nil || why.Kind != AmbiguousMethod {
		t.Errorf("two methods: %+v, want the reason %q", why, AmbiguousMethod)
	}
	q.Fields, q.Method, q.RawQuery = nil, "GET", "_method=put"
	if _, why := a.Classify(q); why == nil || why.Kind != AmbiguousMethod {
		t.Errorf("a GET that stands for PUT: %+v, want the reason %q", why, AmbiguousMethod)
	}
}

// The nearest actions are those of which most conditions hold, and there are few of them.
func TestI7ReasonNamesTheNearestActionsFirst(t *testing.T) {
	a := loadActions(t, "",
		`name: far, match: {method: PUT, path: /doc}`,
		`name: nearer, match: {method: GET, path: /doc, query: {a: x, b: x}}`,
		`name: nearest, match: {method: GET, path: /doc, query: {a: "1", b: x}}`,
		`name: fourth, match: {method: PUT, path: "/{x}"}`,
		`name: fifth, match: {method: DELETE, path: "/{x}"}`)

	_, why := a.Classify(Query{Method: "GET", Path: "/doc", RawQuery: "a=1"})
	var names []string
	for _, m := range why.Nearest {
		names = append(names, m.Action)
	}
	if got := strings.Join(names, " "); got != "nearest nearer far fourth" {
		t.Errorf("nearest %q, want nearest nearer far fourth", got)
	}
}
