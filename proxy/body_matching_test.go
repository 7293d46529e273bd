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

// bodyHabits are applications that say in the body, or anywhere but in the path, what a request does.
var bodyHabits = []habit{
	{example: "graphql", app: bodyApp("Bearer canary-graphql-token"), secret: map[string]string{"token": "canary-graphql-token"}, drive: driveGraphQL},
	{example: "jsonrpc", app: basicApp, drive: driveJSONRPC},
	{example: "override", app: basicApp, drive: driveOverride},
	{example: "soap", app: soapApp, logsOut: true, drive: driveSOAP},
}

// bodyApp says what it was sent.
func bodyApp(authorization string) func(s *saas) http.Handler {
	return func(s *saas) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != authorization {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s?%s got %s", r.URL.Path, r.URL.RawQuery, b)
		})
	}
}

func driveGraphQL(t *testing.T, v *visit) {
	post := func(document, name string, variables map[string]any) (string, string, string, string, string) {
		b, err := json.Marshal(map[string]any{"query": document, "operationName": name, "variables": variables})
		if err != nil {
			t.Fatal(err)
		}
		if name == "" {
			b = bytes.Replace(b, []byte(`"operationName":"",`), nil, 1)
		}
		return "POST", "/graphql", string(b), "Content-Type", jsonType
	}
	try := func(ok bool, document, name string, variables map[string]any) {
		t.Helper()
		method, target, body, k, ct := post(document, name, variables)
		if ok {
			v.want(200, "got {", method, target, body, k, ct)
		} else {
			v.refused(ActionUnclassified, method, target, body, k, ct)
		}
	}
	try(true, `{ page(id: "7") { text author { name } } }`, "", nil)
	try(true, `query Get($id: ID!) { ...p __typename } fragment p on Query { page(id: $id) { text } }`, "Get", map[string]any{"id": 7})
	try(true, `query A { pages { id } } query B { page(id: 1) { id } }`, "B", nil)
	try(true, `mutation { updatePage(input: {id: 7, text: "x"}) { id } }`, "", nil)
	// It may call itself what it likes.
	try(false, `mutation page { deletePage(id: 7) }`, "page", nil)
	try(false, `query page { page(id: 7) { id } users { token } }`, "page", nil)
	try(false, `query page { page: users { token } }`, "page", nil)
	try(false, `{ a: page(id: 1) { id } b: page(id: 2) { id } }`, "", nil) // two resources
	try(false, `query A { page(id: 1) { id } } mutation B { deletePage(id: 1) }`, "B", nil)
	try(false, `query A { page(id: 1) { id } } query B { page(id: 2) { id } }`, "", nil) // which one?
	try(false, `query A { page(id: 1) { id } } mutation A { deletePage(id: 1) }`, "A", nil)
	try(false, `{ ... on Query { users { token } } }`, "", nil)
	try(false, `{ page(id: 7`, "", nil)
	v.refused(ActionUnclassified, "POST", "/graphql", `{"id": "stored-7", "query": "{ pages { id } }"}`, "Content-Type", jsonType)
	v.refused(ActionUnclassified, "POST", "/graphql?query={users{token}}", `{"query": "{ pages { id } }"}`, "Content-Type", jsonType)
	v.want(200, "got", "GET", "/graphql?query="+url.QueryEscape(`{ page(id: 7) { text } }`), "")
	v.refused(ActionUnclassified, "GET", "/graphql?query="+url.QueryEscape(`mutation { deletePage(id: 7) }`), "")
	v.want(200, "got [", "POST", "/graphql", `[{"query": "{ pages { id } }"}, {"query": "{ search { id } }"}]`, "Content-Type", jsonType)
	v.refused(ActionUnclassified, "POST", "/graphql", `[{"query": "{ pages { id } }"}, {"query": "{ users { id } }"}]`, "Content-Type", jsonType)
}

func driveJSONRPC(t *testing.T, v *visit) {
	ok := func(body string) {
		t.Helper()
		v.want(200, "of agent-01", "POST", "/rpc", body, "Content-Type", jsonType)
	}
	no := func(body string) {
		t.Helper()
		v.refused(ActionUnclassified, "POST", "/rpc", body, "Content-Type", jsonType)
	}
	ok(`{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}`)
	ok(`{"jsonrpc": "2.0", "id": 1, "method": "page.put", "params": {"id": 7, "text": "x"}}`)
	ok(`[{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}, {"jsonrpc": "2.0", "id": 2, "method": "page.history", "params": {"id": 7}}]`)
	no(`[{"jsonrpc": "2.0", "id": 1, "method": "page.get", "params": {"id": 7}}, {"jsonrpc": "2.0", "id": 2, "method": "page.get", "params": {"id": 8}}]`)
	no(`[{"method": "page.get", "params": {"id": 7}}, {"method": "user.create", "params": {"id": 7}}]`)
	no(`[{"method": "page.put", "params": {"id": 7}}]`) // writing is no batch
	no(`[]`)
	no(`{"method": "page.get", "method": "user.create", "params": {"id": 7}}`)
	no(`{"method": "page.get", "params": {"id": 7}, "then": "user.create"}`)
}

func driveOverride(t *testing.T, v *visit) {
	v.want(200, "of agent-01", "GET", "/pages/7.json", "")
	v.want(200, "of agent-01", "POST", "/pages/7", "_method=patch&text=x", "Content-Type", form)
	long := strings.Repeat("text+of+a+long+page.", 20<<10)
	v.want(200, "of agent-01", "POST", "/pages/7", "text="+long+"&_method=patch", "Content-Type", form)
	v.refused(OutOfScope, "POST", "/pages/7", "text="+long+"&_method=delete", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/pages/7", "_method=patch&text="+strings.Repeat(long, 12), "Content-Type", form)
	v.refused(OutOfScope, "POST", "/pages/7", "_method=DELETE", "Content-Type", form) // privileged: * does not grant it
	v.refused(OutOfScope, "POST", "/pages/7?_method=delete", "text=x", "Content-Type", form)
	v.refused(ActionUnclassified, "POST", "/pages/7?_method=patch", "_method=delete", "Content-Type", form)
	v.refused(ActionUnclassified, "GET", "/pages/7?_method=delete", "")
	v.refused(ActionUnclassified, "POST", "/pages/7", "text=x", "Content-Type", form)
	v.refused(ActionUnclassified, "GET", "/pages/7x", "")
	v.refused(ActionUnclassified, "GET", "/pages/07", "")
	v.want(200, "/files/a/b.png of agent-01", "GET", "/files/a/b.png", "")
	upload := func(kind string) (string, string) {
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
	body, ct := upload("image")
	v.want(200, "of agent-01", "POST", "/pages/7/files", body, "Content-Type", ct)
	body, ct = upload("script")
	v.refused(ActionUnclassified, "POST", "/pages/7/files", body, "Content-Type", ct)
}

// soapApp gives a ticket for a name and a password, and wants it in a header.
func soapApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		if r.Header.Get("SOAPAction") == `"urn:acme#logout"` {
			s.close(r.Header.Get("X-Ticket"))
			return
		}
		if r.URL.Path == "/services/Session" {
			var in struct {
				User     string `xml:"Body>login>user"`
				Password string `xml:"Body>login>password"`
			}
			if err := xml.Unmarshal(b, &in); err != nil || in.Password != canaryPassword || r.Header.Get("SOAPAction") != `"urn:acme#login"` {
				s.t.Errorf("login: %v, action %s", err, r.Header.Get("SOAPAction"))
			}
			fmt.Fprintf(w, "<Envelope><Body><loginResponse><ticket>%s</ticket></loginResponse></Body></Envelope>", s.open(in.User))
			return
		}
		user := s.user(r.Header.Get("X-Ticket"))
		if user == "" {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "<Envelope><Body><Fault><faultcode>SessionExpired</faultcode></Fault></Body></Envelope>")
			return
		}
		s.page(w, r, user)
	})
}

func driveSOAP(t *testing.T, v *visit) {
	envelope := func(body string) string {
		return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
	}
	ask := func(action, text string) (string, string, string, string, string, string, string) {
		return "POST", "/services/Wiki", text, "Content-Type", "text/xml; charset=utf-8", "SOAPAction", action
	}
	ok := func(action, text string) {
		t.Helper()
		m, p, b, k1, v1, k2, v2 := ask(action, text)
		v.want(200, "of agent-01", m, p, b, k1, v1, k2, v2)
	}
	no := func(action, text string) {
		t.Helper()
		m, p, b, k1, v1, k2, v2 := ask(action, text)
		v.refused(ActionUnclassified, m, p, b, k1, v1, k2, v2)
	}
	get := envelope(`<getPage xmlns="urn:acme"><id>7</id></getPage>`)
	ok(`"urn:acme#getPage"`, get)
	ok(`urn:acme#getPage`, get)
	no(`"urn:acme#deletePage"`, get)
	no(`"urn:acme#getPage"`, envelope(`<deletePage xmlns="urn:acme"><id>7</id></deletePage>`))
	no(`"urn:acme#getPage"`, envelope(`<getPage><id>7</id></getPage><deletePage><id>7</id></deletePage>`))
	no(`"urn:acme#getPage"`, envelope(`<getPage><id>7</id><id>8</id></getPage>`))
	no(`"urn:acme#getPage"`, `<!DOCTYPE s [<!ENTITY e "8">]>`+get)
	no(`"urn:acme#getPage"`, get+get)
	no(`"urn:acme#getPage"`, strings.Replace(get, "7", "&e;", 1))
	v.want(200, "of agent-01", "POST", "/xmlrpc", "<methodCall><methodName>wiki.getAllPages</methodName></methodCall>", "Content-Type", "text/xml")
	v.refused(ActionUnclassified, "POST", "/xmlrpc", "<methodCall><methodName>wiki.putPage</methodName></methodCall>", "Content-Type", "text/xml")
	v.refused(ActionUnclassified, "POST", "/xmlrpc", "<methodCall><methodName>wiki.getAllPages</methodName></methodCall>", "Content-Type", form)
	v.refused(LoginByAgent, "POST", "/services/Session", get, "Content-Type", "text/xml")
	v.saas.kill()
	_, text, _ := v.ask(ask(`"urn:acme#getPage"`, get))
	if !strings.Contains(text, `"code":"renew_not_replayable"`) {
		t.Errorf("a POST at the end of a session: %s", text)
	}
	ok(`"urn:acme#getPage"`, get)
}
