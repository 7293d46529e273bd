package proxy

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
)

// bodyAdapter decides by fields, files' names, keys, elements and parameters.
const bodyAdapter = `
name: bodies
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: %q}
login: {kind: basic}
actions:
  - {name: form, match: {method: POST, path: /form, form: {id: "7"}}, resource: seven}
  - {name: show, match: {method: [GET, POST], path: /show, query: {id: "7"}}, resource: seven}
  - {name: only, match: {method: POST, path: /only, form: {id: "7"}, only: [note, file]}, resource: seven}
  - {name: late, match: {method: POST, path: /late, param: {do: ["", view]}, only: [note, file]}, resource: late}
  - {name: late.rest, privileged: true, match: {method: POST, path: /late}}
  - {name: free, match: {method: POST, path: /free, form: {id: "7"}}, resource: seven}
  - {name: json, match: {method: POST, path: /json, json: {op: get}}, resource: json}
  - {name: xml, match: {method: POST, path: /xml, xml: {call.op: get}}, resource: xml}
  - {name: signed, verbatim: true, match: {method: POST, path: /signed}, resource: signed}
  - {name: typed, match: {method: POST, path: /typed, content_type: "text/*"}, resource: typed}
`

// bodyApp records what it receives.
type bodyApp struct {
	*httptest.Server
	mu       sync.Mutex
	received []receivedBody
}

type receivedBody struct {
	target, contentType string
	header              http.Header
	length              int64 // -1 for chunks
	body                []byte
	err                 error // the request broke off
}

func newBodyApp(t *testing.T) *bodyApp {
	t.Helper()
	a := &bodyApp{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := receivedBody{target: r.RequestURI, contentType: strings.Join(r.Header["Content-Type"], " AND "), header: r.Header, length: r.ContentLength}
		got.body, got.err = io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.received = append(a.received, got)
	}))
	t.Cleanup(a.Close)
	return a
}

// take returns what was received since the last call.
func (a *bodyApp) take() []receivedBody {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.received
	a.received = nil
	return all
}

// waitForOne returns the one request that was received since the last call.
func (a *bodyApp) waitForOne(t *testing.T) receivedBody {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if all := a.take(); len(all) > 0 {
			return all[0]
		}
	}
	t.Fatal("the application received nothing within 5 seconds")
	return receivedBody{}
}

// fields reads a form as Go does: name=value of fields, name:file of files.
func (r *receivedBody) fields(t *testing.T) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.contentType)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	parts := multipart.NewReader(bytes.NewReader(r.body), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatalf("the application cannot read %q: %v", r.body, err)
		}
		content, _ := io.ReadAll(part)
		if part.FileName() == "" {
			all = append(all, part.FormName()+"="+string(content))
		} else {
			all = append(all, fmt.Sprintf("%s:%s:%d", part.FormName(), part.FileName(), len(content)))
		}
	}
}

// bodyTest is an agent of a bodyApp.
type bodyTest struct {
	*testing.T
	app    *bodyApp
	server *testServer
	client *http.Client
}

func newBodyTest(t *testing.T, change func(*Options)) *bodyTest {
	t.Helper()
	app := newBodyApp(t)
	server := startServer(t, t.TempDir(), loadRules(t, fmt.Sprintf(bodyAdapter, app.URL)), func(o *Options) {
		putAccount(t, o.Vault.(*vault.File), "bodies", "agent-01", passwordAccount)
		o.SpoolDir = t.TempDir()
		if change != nil {
			change(o)
		}
	})
	client, _ := server.newAgent(t, identity.Spec{
		Agent: "agent/bodies", Sponsor: "alice@acme.example", Purpose: "INC-8",
		Scope: []identity.ScopeEntry{{Adapter: "bodies", Actions: []string{"*"}}},
	})
	return &bodyTest{t, app, server, client}
}

// send sends a request; a body that is no *strings.Reader goes out in chunks.
func (b *bodyTest) send(method, target, contentType string, body io.Reader) (status int, answer string) {
	b.Helper()
	req, err := http.NewRequest(method, "https://example.com"+target, body)
	if err != nil {
		b.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func part(disposition, value string) string {
	return "--b\r\nContent-Disposition: " + disposition + "\r\n\r\n" + value + "\r\n"
}

const endOfForm = "--b--\r\n"

// TestI11HostileBodiesAreReadOneWay: what the application reads is what was decided
// on, or nothing arrives.
func TestI11HostileBodiesAreReadOneWay(t *testing.T) {
	b := newBodyTest(t, nil)
	const form = "multipart/form-data; boundary=b"
	id := part(`form-data; name="id"`, "7")

	for _, c := range []struct {
		name, target, contentType, body string
		want                            Code   // "" if the request arrives
		arrives                         string // as fields, or the body that is no form
		arrivesAs                       string // the Content-Type, unless it has a boundary
	}{
		{"quote escaped by a backslash", "/form", form, id + part(`form-data; name="form-\"; name=form-0-id; x=\""`, "8") + endOfForm, AmbiguousRequest, "", ""},
		{"parameter after the name", "/form", form, id + part(`form-data; name="body"; foo="\"; name=_popup; x=\""`, "8") + endOfForm, AmbiguousRequest, "", ""},
		{"x-name", "/form", form, id + part(`form-data; x-name="id"; name="note"`, "8") + endOfForm, AmbiguousRequest, "", ""},
		{"name twice", "/form", form, id + part(`form-data; name="note"; name="id"`, "8") + endOfForm, AmbiguousRequest, "", ""},
		{"name*", "/form", form, part(`form-data; name*=utf-8''id`, "7") + endOfForm, AmbiguousRequest, "", ""},
		{"xboundary", "/form", "multipart/form-data; xboundary=aa; boundary=b", id + endOfForm, AmbiguousRequest, "", ""},
		{"two boundaries", "/form", "multipart/form-data; boundary=aa; boundary=b", id + endOfForm, AmbiguousRequest, "", ""},
		{"the field that decides is a file", "/form", form, part(`form-data; name="id"; filename="x"`, "7") + endOfForm, AmbiguousRequest, "", ""},
		{"and a file besides the field", "/form", form, id + part(`form-data; name="id"; filename="x"`, "8") + endOfForm, AmbiguousRequest, "", ""},
		{"an empty file name", "/form", form, part(`form-data; name="id"; filename=""`, "7") + endOfForm, AmbiguousRequest, "", ""},
		{"a name that only does not list, on a file", "/only", form, id + part(`form-data; name="other"; filename="x"`, "8") + endOfForm, ActionUnclassified, "", ""},
		{"part in UTF-7", "/form", form, "--b\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n7\r\n" + endOfForm, AmbiguousRequest, "", ""},
		{"base64", "/form", form, "--b\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Transfer-Encoding: base64\r\n\r\nNw==\r\n" + endOfForm, AmbiguousRequest, "", ""},
		{"nested form", "/form", form, id + "--b\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n" + endOfForm, AmbiguousRequest, "", ""},
		{"cut off", "/form", form, id, AmbiguousRequest, "", ""},

		{"preamble, unknown fields, epilogue", "/form", form, "do=8\r\n" + "--b\r\nX-Name: y\r\nContent-Disposition: form-data; name=id\r\n\r\n7\r\n" + endOfForm + "id=8", "", "id=7", ""},
		{"file name as .NET writes it", "/only", form, id + part(`form-data; name=file; filename=a.png; filename*=utf-8''a.png`, "xyz") + endOfForm, "", "id=7 file:a.png:3", ""},
		{"binary, as Apache HttpClient writes it", "/only", form, "--b\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n7\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\nxyz\r\n" + endOfForm, "", "id=7 file:a:3", ""},
		{"quotes and utf8", "/form", `Multipart/Form-Data; charset=utf8; boundary="b"`, id + endOfForm, "", "id=7", ""},

		{"urlencoded", "/form", formType + "; charset=ISO-8859-1", "id=7&%6eote=a b%2b&&x", "", "id=7&note=a+b%2B&x=", formType},
		{"urlencoded in UTF-8", "/form", formType + ";charset=utf-8", "id=7&n=%c3%a4", "", "id=7&n=%C3%A4", formType + "; charset=UTF-8"},
		{"urlencoded in UTF-7", "/form", formType + "; charset=utf-7", "id=7", AmbiguousRequest, "", ""},
		{"urlencoded with a semicolon", "/form", formType, "id=7;id=8", AmbiguousRequest, "", ""},
		{"field twice", "/form", formType, "id=7&id=8", AmbiguousRequest, "", ""},
		{"NUL in a name", "/form", formType, "id=7&i%00d=8", AmbiguousRequest, "", ""},

		{"json", "/json", "application/json; charset=utf-8; x=y", "{ \"op\" : \"g\\u0065t\", \"n\": 1e400, \"t\": \"ä\\/\" }", "", `{"op":"get","n":1e400,"t":"\u00e4/"}`, jsonType},
		{"json key twice", "/json", jsonType, `{"op":"get","op":"put"}`, AmbiguousRequest, "", ""},
		{"json key in another case", "/json", jsonType, `{"op":"get","Op":"put"}`, AmbiguousRequest, "", ""},
		{"json with a comment", "/json", jsonType, `{"op":"get"/*,"op":"put"*/}`, AmbiguousRequest, "", ""},
		{"json with half a pair", "/json", jsonType, `{"op":"get","x":"\ud800"}`, AmbiguousRequest, "", ""},
		{"json in UTF-16", "/json", jsonType + "; charset=utf-16", `{"op":"get"}`, AmbiguousRequest, "", ""},

		{"xml", "/xml", "text/xml; charset=utf-8", "<?xml version=\"1.0\"?><!-- x --><call><op><![CDATA[get]]></op><t>ä</t></call>", "", "<call><op>get</op><t>&#xe4;</t></call>", "text/xml"},
		{"xml with a DTD", "/xml", "text/xml", `<!DOCTYPE call [<!ENTITY g "get">]><call><op>&g;</op></call>`, AmbiguousRequest, "", ""},
		{"xml text around a comment", "/xml", "text/xml", "<call><op>ge<!-- -->t</op></call>", "", "<call><op>get</op></call>", "text/xml"},

		{"verbatim", "/signed", "application/json; x=y", `{ "a" : 1, "a": 2 }`, "", `{ "a" : 1, "a": 2 }`, "application/json; x=y"},
		{"body that nothing looks at, query that decides", "/show?id=7", "text/plain; charset=utf-7", "x", AmbiguousRequest, "", ""},
		{"two types", "/typed", "text/plain, text/html", "x", AmbiguousRequest, "", ""},
		{"type that decides", "/typed", "text/plain; charset=utf-8", "x", "", "x", "text/plain; charset=utf-8"},
	} {
		status, answer := b.send("POST", c.target, c.contentType, strings.NewReader(c.body))
		if c.want != "" {
			if got := b.app.take(); !hasCode(answer, c.want) || len(got) > 0 {
				t.Errorf("%s: got %d %.300s and %d requests arrived; want the refusal %s", c.name, status, answer, len(got), c.want)
			}
			continue
		}

		got := b.app.take()
		if status != http.StatusOK || len(got) != 1 {
			t.Errorf("%s: got %d %.400s and %d requests arrived; want 200", c.name, status, answer, len(got))
			continue
		}
		arrived, as := string(got[0].body), got[0].contentType
		if strings.HasPrefix(as, "multipart/") {
			arrived, as = got[0].fields(t), ""
		}
		if arrived != c.arrives || as != c.arrivesAs || got[0].length != int64(len(got[0].body)) {
			t.Errorf("%s: %q %q arrived with length %d, want %q %q with a length", c.name, as, arrived, got[0].length, c.arrivesAs, c.arrives)
		}
	}
}

func TestI11QueryGoesOutAsItWasRead(t *testing.T) {
	b := newBodyTest(t, nil)
	for _, c := range []struct{ method, target, contentType, arrives string }{
		{"GET", "/show?%69d=7&x=a+b&&y", "application/x-www-form-urlencoded; charset=utf-7", "/show?id=7&x=a%20b&y="},
		{"GET", "/show?id=7&+ACY-id+AD0-8", "text/plain; charset=utf-7", "/show?id=7&%20ACY-id%20AD0-8="},
		{"POST", "/signed?a;b+c", "", "/signed?a;b+c"}, // refused: see below
	} {
		status, answer := b.send(c.method, c.target, c.contentType, nil)
		got := b.app.take()
		if strings.Contains(c.target, ";") {
			if !hasCode(answer, AmbiguousRequest) || len(got) > 0 {
				t.Errorf("%s: got %d %s, want a refusal", c.target, status, answer)
			}
			continue
		}
		if status != http.StatusOK || len(got) != 1 || got[0].target != c.arrives || got[0].contentType != "" {
			t.Errorf("%s: got %d %s, arrived %+v; want %s without a Content-Type", c.target, status, answer, got, c.arrives)
		}
	}
}

// TestI11FieldsDescribeTheBodyThatGoesOut: digests of the agent's bytes do not go out
// with other bytes.
func TestI11FieldsDescribeTheBodyThatGoesOut(t *testing.T) {
	b := newBodyTest(t, nil)
	for _, c := range []struct{ target, want string }{
		{"/form", "application/x-www-form-urlencoded"},
		{"/signed", "application/x-www-form-urlencoded sha-256=:x:: md5"},
	} {
		req, err := http.NewRequest("POST", "https://example.com"+c.target, strings.NewReader("id=7"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", formType)
		req.Header.Set("Content-Digest", "sha-256=:x::")
		req.Header.Set("Content-MD5", "md5")
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %d %s, want 200", c.target, resp.StatusCode, text)
		}
		got := b.app.waitForOne(t)
		all := []string{got.contentType}
		for _, name := range []string{"Content-Digest", "Content-Md5"} {
			all = append(all, got.header[name]...)
		}
		if s := strings.Join(all, " "); s != c.want {
			t.Errorf("%s: arrived with %s, want %s", c.target, s, c.want)
		}
	}
}

// upload is a multipart form with a file of n bytes between fields.
func upload(before string, n int64, after string) (content io.Reader, length int64) {
	head := before + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	tail := "\r\n" + after + endOfForm
	return io.MultiReader(strings.NewReader(head), io.LimitReader(rand.Reader, n), strings.NewReader(tail)), int64(len(head)) + n + int64(len(tail))
}

func (b *bodyTest) sendUpload(target, before string, n int64, after string, chunked bool) (status int, answer string) {
	b.Helper()
	content, length := upload(before, n, after)
	req, err := http.NewRequest("POST", "https://example.com"+target, content)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if !chunked {
		req.ContentLength = length
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// TestI11LargeUploads: files do not count towards what is held. A form whose fields
// come first is streamed, one whose deciding field comes last is kept on disk.
func TestI11LargeUploads(t *testing.T) {
	const size = 9 << 20
	id, note := part(`form-data; name="id"`, "7"), part(`form-data; name="note"`, "n")

	for _, c := range []struct {
		name, target, before, after string
		chunked                     bool
		arrives                     string
	}{
		{"fields first", "/free", id, note, false, "id=7 file:a.bin:9437184 note=n"},
		{"fields first, in chunks", "/free", id, note, true, "id=7 file:a.bin:9437184 note=n"},
		{"field last", "/free", note, id, false, "note=n file:a.bin:9437184 id=7"},
		{"field last, in chunks", "/free", note, id, true, "note=n file:a.bin:9437184 id=7"},
		{"only", "/only", id, note, false, "id=7 file:a.bin:9437184 note=n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBodyTest(t, nil)
			status, answer := b.sendUpload(c.target, c.before, size, c.after, c.chunked)
			got := b.app.take()
			if status != http.StatusOK || len(got) != 1 {
				t.Fatalf("got %d %.400s and %d requests arrived, want 200", status, answer, len(got))
			}
			if fields := got[0].fields(t); fields != c.arrives || got[0].err != nil {
				t.Errorf("%s arrived (error %v), want %s", fields, got[0].err, c.arrives)
			}
			if got[0].length < 0 && !c.chunked {
				t.Error("a form with a length arrived without one")
			}
		})
	}
}

// TestI11UploadIsBrokenOffAtALateField: when a later field would have decided
// otherwise, the application does not get the whole request, and the record says why.
func TestI11UploadIsBrokenOffAtALateField(t *testing.T) {
	longBoundary := strings.Repeat("b", 40) // a form under a shorter one is kept on disk: its length may grow
	for _, c := range []struct{ name, target, before, after, detail string }{
		{"the field again", "/free", part(`form-data; name="id"`, "7"), part(`form-data; name="id"`, "8"), "comes after a file"},
		{"the field as PHP reads it", "/free", part(`form-data; name="id"`, "7"), part(`form-data; name="id[]"`, "8"), "comes after a file"},
		{"a file of the name", "/free", part(`form-data; name="id"`, "7"), part(`form-data; name="id"; filename="x"`, "8"), "comes after a file"},
		{"malformed", "/free", part(`form-data; name="id"`, "7"), part(`form-data; name="x"; y=z`, "8"), "parameter other than"},
		{"a name that only does not list", "/only", part(`form-data; name="id"`, "7"), part(`form-data; name="admin"`, "1"), "does not list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBodyTest(t, nil)
			content, _ := upload(c.before, 2<<20, c.after)
			text, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			long := bytes.ReplaceAll(text, []byte("--b\r\n"), []byte("--"+longBoundary+"\r\n"))
			long = bytes.ReplaceAll(long, []byte("--b--\r\n"), []byte("--"+longBoundary+"--\r\n"))

			status, answer := b.send("POST", c.target, "multipart/form-data; boundary="+longBoundary, bytes.NewReader(long))
			if !hasCode(answer, AmbiguousRequest) {
				t.Errorf("got %d %.300s, want the refusal ambiguous_request", status, answer)
			}
			if got := b.app.waitForOne(t); got.err == nil {
				t.Errorf("the application received a whole request: %s", got.fields(t))
			}
			outcomes := b.server.readRecords(t, "outcome")
			last := outcomes[len(outcomes)-1]
			if !strings.Contains(last.Detail, c.detail) || last.Code != string(AmbiguousRequest) {
				t.Errorf("on record: code %q, detail %q; want ambiguous_request and a detail with %q", last.Code, last.Detail, c.detail)
			}
		})
	}
}

// TestI11FilesBeforeADecidingFieldAreBounded also checks that nothing is left on disk.
func TestI11FilesBeforeADecidingFieldAreBounded(t *testing.T) {
	var dir string
	b := newBodyTest(t, func(o *Options) {
		o.Wire.MaxSpooledFiles = 1 << 20
		o.Wire.MaxReadBody = 64 << 10
		dir = o.SpoolDir
	})
	id := part(`form-data; name="id"`, "7")

	for _, c := range []struct {
		name   string
		status int
		answer func() (int, string)
	}{
		{"a large file before the field", 413, func() (int, string) { return b.sendUpload("/free", "", 3<<20, id, false) }},
		{"a small file before the field", 200, func() (int, string) { return b.sendUpload("/free", "", 900<<10, id, false) }},
		{"a large field", 413, func() (int, string) {
			return b.sendUpload("/free", id+part(`form-data; name="note"`, strings.Repeat("x", 65<<10)), 10, "", false)
		}},
		{"a large form", 413, func() (int, string) {
			return b.send("POST", "/form", formType, strings.NewReader("id=7&x="+strings.Repeat("x", 65<<10)))
		}},
	} {
		status, answer := c.answer()
		if status != c.status || status == 413 && (!hasCode(answer, TooLarge) || !strings.Contains(answer, "wire.max_read_body")) {
			t.Errorf("%s: got %d %.400s, want %d", c.name, status, answer, c.status)
		}
	}
	if n := b.server.spooled.Load(); n != 0 {
		t.Errorf("%d bytes are counted as kept on disk after all requests", n)
	}
	b.server.spooled.Store(4 << 20) // what other tasks keep
	if status, answer := b.sendUpload("/free", "", 900<<10, id, false); status != http.StatusServiceUnavailable || !hasCode(answer, OverBudget) {
		t.Errorf("with a full disk: got %d %.300s, want the refusal over_budget", status, answer)
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) > 0 {
		t.Errorf("files are left in %s: %v (error %v)", dir, left, err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
