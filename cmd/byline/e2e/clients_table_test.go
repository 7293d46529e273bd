package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// tableClient is a row of docs/clients.md: a program that gets one page, or what it is
// made for, of an application that wants a login.
type tableClient struct {
	name    string
	version string   // shell command that prints it
	command string   // shell command, in clients/get
	set     string   // what the program does by itself under plain byline run; "" if nothing
	host    string   // "" is clients.example.com
	url     string   // path; "" is /hello
	want    string   // what the output holds if it works; "" is hello
	browser bool     // opens pages, and so asks other hosts, too
	fails   string   // why it does not work under plain byline run
	env     []string // further variables
}

// hello is on every page of the application.
const hello = "hello agent-01"

// TestClientsTable runs every client under byline run, plain and isolated, and writes
// docs/clients.md. It needs what clients/get/install.sh installs: make clients.
func TestClientsTable(t *testing.T) {
	cache := os.Getenv("BYLINE_CLIENTS")
	if cache == "" {
		t.Skip("make clients runs this test")
	}
	app := httptest.NewServer(http.HandlerFunc(serveClientsApp))
	defer app.Close()
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(serveClientsApp))
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()

	env := testenv.New(t, "")
	certificate := filepath.Join(t.TempDir(), "app.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h2.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env.WriteFile("adapters.d/clients.yaml", fmt.Sprintf(clientsAdapter, "clients", fmt.Sprintf("url: %q", app.URL)))
	env.WriteFile("adapters.d/grpc.yaml", fmt.Sprintf(clientsAdapter, "grpc", fmt.Sprintf("url: %q, ca: %q, protocol: h2", h2.URL, certificate)))
	for _, adapter := range []string{"clients", "grpc"} {
		for i := range 4 {
			account := fmt.Sprintf("agent-0%d", i+1)
			env.PutAccount(adapter, account, map[string]string{"username": "agent-01", "password": testenv.NewSecret()})
		}
	}
	env.Start()

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("clients/get")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(cache, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	prepareGoClient(t, dir)

	rows := make([]clientRow, len(tableClients))
	for i, c := range tableClients {
		t.Run(c.name, func(t *testing.T) { rows[i] = c.try(t, env, dir) })
	}
	if only := os.Getenv("BYLINE_CLIENTS_ONLY"); only == "" && !t.Failed() {
		writeClientsPage(t, rows)
	}
}

// prepareGoClient builds the client in Go.
func prepareGoClient(t *testing.T, dir string) {
	t.Helper()
	source := filepath.Join(dir, "nethttp.go")
	if err := os.Rename(source+".txt", source); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "nethttp"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the client in Go: %v\n%s", err, out)
	}
}

// clientRow is what was seen of a client.
type clientRow struct {
	tableClient
	isVersion       string
	plain, isolated bool
	refused         string // what it says of a host without adapter
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// try runs a client in both ways.
func (c tableClient) try(t *testing.T, env *testenv.Env, dir string) clientRow {
	if only := os.Getenv("BYLINE_CLIENTS_ONLY"); only != "" && !strings.Contains(c.name, only) {
		t.Skip("not asked for")
	}
	row := clientRow{tableClient: c}
	out, err := exec.Command("sh", "-c", "cd "+dir+"; PATH="+dir+"/node_modules/.bin:$PATH; "+c.version).CombinedOutput()
	row.isVersion = versionNumber.FindString(string(out))
	if err != nil {
		t.Fatalf("it is not installed: %v %s", err, out)
	}

	host := c.host
	if host == "" {
		host = "clients.example.com"
	}
	plain := c.run(t, env, dir, false, host, "TRUST_ENV=1")
	row.plain = strings.Contains(plain, c.wanted())
	if row.plain != (c.fails == "") {
		t.Errorf("byline run: want success %v, got %s", c.fails == "", plain)
	}
	isolated := c.run(t, env, dir, true, host)
	row.isolated = strings.Contains(isolated, c.wanted())
	if !row.isolated {
		t.Errorf("byline run --isolate=require: got %s", isolated)
	}

	refused := c.run(t, env, dir, false, "refused.example.com", "TRUST_ENV=1")
	row.refused = firstHint(refused)
	if row.plain && row.refused == "" && !c.browser {
		t.Errorf("a refused host is not to be told from one that answers: %s", refused)
	}
	return row
}

func (c tableClient) wanted() string {
	if c.want != "" {
		return c.want
	}
	return hello
}

// run runs the client against a host and returns what it wrote.
func (c tableClient) run(t *testing.T, env *testenv.Env, dir string, isolated bool, host string, variables ...string) string {
	t.Helper()
	path := c.url
	if path == "" {
		path = "/hello"
	}
	variables = append(variables, "URL=https://"+host+path, "WS=wss://"+host+"/ws", "PATH="+dir+"/node_modules/.bin:"+os.Getenv("PATH"))
	variables = append(variables, c.env...)

	run := env.RunCommand
	if isolated {
		run = env.RunIsolated
	}
	r := env.RunToEnd(run(testenv.TaskSpec{Allow: []string{"clients:*", "grpc:*"}}, dir, variables, "sh", "-c", c.command))
	return r.Out + r.Err
}

// firstHint returns the part of a client's output that says that Byline refused.
func firstHint(output string) string {
	for _, hint := range []string{"host_not_adapted", "403", "Forbidden", "ERR_TUNNEL", "no page", "refused", "unable", "invalid response", "nexpected", "failed", "Failed", "Error", "error"} {
		for line := range strings.Lines(output) {
			if i := strings.Index(line, hint); i >= 0 && !strings.HasPrefix(line, "byline: warning") {
				line = strings.TrimSpace(line)
				return line[:min(len(line), 110)]
			}
		}
	}
	return ""
}

// writeClientsPage writes docs/clients.md.
func writeClientsPage(t *testing.T, rows []clientRow) {
	t.Helper()
	head, err := os.ReadFile("clients/get/page.md")
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBuffer(head)
	mark := map[bool]string{true: "yes", false: "no"}
	for _, r := range rows {
		needs := r.set
		if r.fails != "" {
			needs = r.fails
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | `%s` |\n", r.name, r.isVersion, mark[r.plain], needs, mark[r.isolated], strings.ReplaceAll(r.refused, "|", "\\|"))
	}
	if err := os.WriteFile("../../../docs/clients.md", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// clientsAdapter is for an application whose pages are for users who are signed in.
const clientsAdapter = `name: %[1]s
interim: {reason: "test", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [%[1]s.example.com]
upstream: {%[2]s}
cookies: {hold: [sid]}
login:
  kind: form
  steps:
    - get: /login
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "/login"}]
actions:
  - {name: read, match: {method: [GET, HEAD], path: "/**"}, resource: page, websocket: true}
  - {name: call, match: {method: [POST], path: "/hello.Hello/*"}, resource: call}
`

// serveClientsApp has a page, and what package managers and others look for.
func serveClientsApp(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("sid")
	signedIn := err == nil && cookie.Value == "a-session-of-the-clients-application"
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "a-session-of-the-clients-application", HttpOnly: true})
		http.Redirect(w, r, "/hello", http.StatusFound)
		return
	case r.URL.Path == "/login":
		_, _ = w.Write([]byte("sign in"))
		return
	case !signedIn:
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}

	answer := func(kind, text string) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(text))
	}
	switch r.URL.Path {
	case "/ws":
		if ws, err := websockettest.Accept(w, r); err == nil {
			kind, text, err := ws.Read(r.Context())
			if err == nil {
				_ = ws.Write(r.Context(), kind, text)
			}
			_ = ws.Close(1000, "")
		}
	case "/repo.git/info/refs":
		answer("text/plain", strings.Repeat("1", 40)+"\trefs/heads/hello-agent-01\n")
	case "/repo.git/HEAD":
		answer("text/plain", "ref: refs/heads/hello-agent-01\n")
	case "/simple/hello/":
		answer("text/html", `<a href="/hello-7.1-py3-none-any.whl">hello-7.1-py3-none-any.whl</a>`)
	case "/npm/hello":
		answer("application/json", `{"name":"hello","description":"hello agent-01","dist-tags":{"latest":"7.1.0"},"versions":{"7.1.0":{"name":"hello","version":"7.1.0","description":"hello agent-01","dist":{"tarball":"https://clients.example.com/hello.tgz","shasum":"`+strings.Repeat("0", 40)+`"}}}}`)
	case "/hello.Hello/Say":
		w.Header().Set("Trailer", "Grpc-Status")
		answer("application/grpc", "\x00\x00\x00\x00\x10\x0a\x0ehello agent-01")
		w.Header().Set("Grpc-Status", "0")
	case "/v1/models":
		answer("application/json", `{"object":"list","data":[{"id":"hello agent-01","object":"model","created":1,"owned_by":"acme"}]}`)
	case "/bucket":
		answer("application/xml", `<ListBucketResult><Name>bucket</Name><Contents><Key>hello agent-01</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>`)
	default:
		answer("text/html", `<!doctype html><body style="background: #00aa00">hello agent-01</body>`)
	}
}
