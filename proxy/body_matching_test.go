package proxy

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// bodyMatchingTests are applications where the body, or a field, says what a
// request does, and not the path alone.
var bodyMatchingTests = []exampleTest{
	{adapter: "graphql", app: graphQLApp, secret: map[string]string{"token": graphQLToken}, run: runGraphQL},
	{adapter: "jsonrpc", app: basicApp, run: runJSONRPC},
	{adapter: "override", app: basicApp, run: runMethodOverride},
	{adapter: "soap", app: soapApp, logsOut: true, run: runSOAP},
}

const graphQLToken = "canary-graphql-token"

// graphQLApp repeats the request.
func graphQLApp(*exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+graphQLToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s?%s got %s", r.URL.Path, r.URL.RawQuery, body)
	})
}

// runGraphQL checks that a document is classified by the fields that it selects
// and not by its own names, and that a document with several meanings is refused.
func runGraphQL(t *testing.T, e *exampleAgent) {
	encode := func(document, operation string, variables map[string]any) string {
		request := map[string]any{"query": document, "variables": variables}
		if operation != "" {
			request["operationName"] = operation
		}
		b, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	permit := func(document, operation string, variables map[string]any) {
		t.Helper()
		e.want(200, "got {", "POST", "/graphql", encode(document, operation, variables), "Content-Type", jsonType)
	}
	refuse := func(document, operation string) {
		t.Helper()
		e.wantRefusal(ActionUnclassified, "POST", "/graphql", encode(document, operation, nil), "Content-Type", jsonType)
	}
	ambiguous := func(document, operation string) {
		t.Helper()
		e.wantRefusal(AmbiguousRequest, "POST", "/graphql", encode(document, operation, nil), "Content-Type", jsonType)
	}

	permit(`{ page(id: "7") { text author { name } } }`, "", nil)
	permit(`query Get($id: ID!) { ...p __typename } fragment p on Query { page(id: $id) { text } }`, "Get", map[string]any{"id": 7})
	permit(`query A { pages { id } } query B { page(id: 1) { id } }`, "B", nil)
	permit(`mutation { updatePage(input: {id: 7, text: "x"}) { id } }`, "", nil)

	// Names of operations and aliases do not count.
	refuse(`mutation page { deletePage(id: 7) }`, "page")
	refuse(`query page { page(id: 7) { id } users { token } }`, "page")
	refuse(`query page { page: users { token } }`, "page")

	// Two resources, two operations, or a document that does not parse.
	refuse(`{ a: page(id: 1) { id } b: page(id: 2) { id } }`, "")
	refuse(`query A { page(id: 1) { id } } mutation B { deletePage(id: 1) }`, "B")
	ambiguous(`query A { page(id: 1) { id } } query B { page(id: 2) { id } }`, "")
	ambiguous(`query A { page(id: 1) { id } } mutation A { deletePage(id: 1) }`, "A")
	refuse(`{ ... on Query { users { token } } }`, "")
	ambiguous(`{ page(id: 7`, "")

	// Stored documents, and documents in the query.
	e.wantRefusal(AmbiguousRequest, "POST", "/graphql", `{"id": "stored-7", "query": "{ pages { id } }"}`, "Content-Type", jsonType)
	e.wantRefusal(AmbiguousRequest, "POST", "/graphql?query={users{token}}", `{"query": "{ pages { id } }"}`, "Content-Type", jsonType)
	e.want(200, "got", "GET", "/graphql?query="+url.QueryEscape(`{ page(id: 7) { text } }`), "")
	e.wantRefusal(ActionUnclassified, "GET", "/graphql?query="+url.QueryEscape(`mutation { deletePage(id: 7) }`), "")

	// Batches.
	e.want(200, "got [", "POST", "/graphql", `[{"query": "{ pages { id } }"}, {"query": "{ search { id } }"}]`, "Content-Type", jsonType)
	e.wantRefusal(ActionUnclassified, "POST", "/graphql", `[{"query": "{ pages { id } }"}, {"query": "{ users { id } }"}]`, "Content-Type", jsonType)
}

// runJSONRPC checks that a batch is permitted only if all its calls are reads of
// one resource, and that duplicate and unknown members are refused.
func runJSONRPC(t *testing.T, e *exampleAgent) {
	permit := func(body string) {
		t.Helper()
		e.want(200, "of agent-01", "POST", "/rpc", body, "Content-Type", jsonType)
	}
	refuse := func(body string) {
		t.Helper()
		e.wantRefusal(ActionUnclassified, "POST", "/rpc", body, "Content-Type", jsonType)
	}

	permit(`{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}`)
	permit(`{"jsonrpc": "2.0", "id": 1, "method": "page.put", "params": {"id": 7, "text": "x"}}`)
	permit(`[{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}, {"jsonrpc": "2.0", "id": 2, "method": "page.history", "params": {"id": 7}}]`)
	refuse(`[{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}, {"jsonrpc": "2.0", "id": 2, "method": "page.get", "params": {"id": 8}}]`)
	refuse(`[{"method": "page.get", "params": {"id": 7}}, {"method": "user.create", "params": {"id": 7}}]`)
	refuse(`[{"method": "page.put", "params": {"id": 7}}]`)
	refuse(`[]`)
	e.wantRefusal(AmbiguousRequest, "POST", "/rpc", `{"method": "page.get", "method": "user.create", "params": {"id": 7}}`, "Content-Type", jsonType)
	refuse(`{"method": "page.get", "params": {"id": 7}, "then": "user.create"}`)
}

// runMethodOverride checks an application that reads the method from a field of
// the form, or from the query.
func runMethodOverride(t *testing.T, e *exampleAgent) {
	longText := strings.Repeat("text+of+a+long+page.", 20<<10)
	post := func(target, body string) []string { return []string{"POST", target, body, "Content-Type", formType} }
	permit := func(r []string) {
		t.Helper()
		e.want(200, "of agent-01", r[0], r[1], r[2], r[3:]...)
	}
	refuse := func(code Code, r []string) {
		t.Helper()
		e.wantRefusal(code, r[0], r[1], r[2], r[3:]...)
	}

	e.want(200, "of agent-01", "GET", "/pages/7.json", "")
	permit(post("/pages/7", "_method=patch&text=x"))
	permit(post("/pages/7", "text="+longText+"&_method=patch"))
	refuse(OutOfScope, post("/pages/7", "text="+longText+"&_method=delete"))
	refuse(TooLarge, post("/pages/7", "_method=patch&text="+strings.Repeat(longText, 12))) // too long to be read whole
	refuse(OutOfScope, post("/pages/7", "_method=DELETE"))                                 // privileged, so a wildcard does not grant it
	refuse(OutOfScope, post("/pages/7?_method=delete", "text=x"))
	refuse(AmbiguousRequest, post("/pages/7?_method=patch", "_method=delete"))
	e.wantRefusal(AmbiguousRequest, "GET", "/pages/7?_method=delete", "")
	refuse(ActionUnclassified, post("/pages/7", "text=x"))
	e.wantRefusal(ActionUnclassified, "GET", "/pages/7x", "")
	e.wantRefusal(ActionUnclassified, "GET", "/pages/07", "")
	e.want(200, "/files/a/b.png of agent-01", "GET", "/files/a/b.png", "")

	body, contentType := encodeUpload(t, "image")
	e.want(200, "of agent-01", "POST", "/pages/7/files", body, "Content-Type", contentType)
	body, contentType = encodeUpload(t, "script")
	e.wantRefusal(ActionUnclassified, "POST", "/pages/7/files", body, "Content-Type", contentType)
}

// encodeUpload returns a multipart form with the field kind and a file.
func encodeUpload(t *testing.T, kind string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("kind", kind)
	f, err := m.CreateFormFile("file", "a.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte("\x89PNG\r\n\x1a\n kind=virus"))
	_ = m.Close()
	return b.String(), m.FormDataContentType()
}

// soapApp returns a ticket for a user name and a password, and demands it in a
// field of every request.
func soapApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		ticket, action := r.Header.Get("X-Ticket"), r.Header.Get("SOAPAction")
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		if action == `"urn:acme#logout"` {
			a.endSession(ticket)
			return
		}

		if r.URL.Path == "/services/Session" {
			var in struct {
				User     string `xml:"Body>login>user"`
				Password string `xml:"Body>login>password"`
			}
			if err := xml.Unmarshal(body, &in); err != nil || in.Password != canaryPassword || action != `"urn:acme#login"` {
				a.t.Errorf("the application received a login with SOAPAction %s, error %v: %s", action, err, body)
			}
			fmt.Fprintf(w, "<Envelope><Body><loginResponse><ticket>%s</ticket></loginResponse></Body></Envelope>", a.createSession(in.User))
			return
		}

		user := a.userOf(ticket)
		if user == "" {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "<Envelope><Body><Fault><faultcode>SessionExpired</faultcode></Fault></Body></Envelope>")
			return
		}
		a.writePage(w, r, user)
	})
}

// runSOAP checks that SOAPAction and body must agree, and that a body with several
// meanings is refused.
func runSOAP(t *testing.T, e *exampleAgent) {
	envelope := func(body string) string {
		return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
	}
	permit := func(action, text string) {
		t.Helper()
		e.want(200, "of agent-01", "POST", "/services/Wiki", text, "Content-Type", "text/xml; charset=utf-8", "SOAPAction", action)
	}
	refuse := func(code Code, action, text string) {
		t.Helper()
		e.wantRefusal(code, "POST", "/services/Wiki", text, "Content-Type", "text/xml; charset=utf-8", "SOAPAction", action)
	}

	const getAction = `"urn:acme#getPage"`
	getPage := envelope(`<getPage xmlns="urn:acme"><id>7</id></getPage>`)
	permit(getAction, getPage)
	permit(`urn:acme#getPage`, getPage)
	refuse(ActionUnclassified, `"urn:acme#deletePage"`, getPage)
	refuse(ActionUnclassified, getAction, envelope(`<deletePage xmlns="urn:acme"><id>7</id></deletePage>`))
	refuse(ActionUnclassified, getAction, envelope(`<getPage><id>7</id></getPage><deletePage><id>7</id></deletePage>`))
	refuse(AmbiguousRequest, getAction, envelope(`<getPage><id>7</id><id>8</id></getPage>`))
	refuse(AmbiguousRequest, getAction, `<!DOCTYPE s [<!ENTITY e "8">]>`+getPage)
	refuse(AmbiguousRequest, getAction, getPage+getPage)
	refuse(AmbiguousRequest, getAction, strings.Replace(getPage, "7", "&e;", 1))

	const getAllPages = "<methodCall><methodName>wiki.getAllPages</methodName></methodCall>"
	e.want(200, "of agent-01", "POST", "/xmlrpc", getAllPages, "Content-Type", "text/xml")
	e.wantRefusal(AmbiguousRequest, "POST", "/xmlrpc", getAllPages, "Content-Type", formType)
	e.wantRefusal(ActionUnclassified, "POST", "/xmlrpc", "<methodCall><methodName>wiki.putPage</methodName></methodCall>", "Content-Type", "text/xml")
	e.wantRefusal(LoginByAgent, "POST", "/services/Session", getPage, "Content-Type", "text/xml")

	e.app.endAllSessions()
	refuse(RenewNotReplayable, getAction, getPage)
	permit(getAction, getPage)
}
