package main

import (
	"bufio"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/certs"
)

// tunnels is a proxy that knows CONNECT alone, demands the task's credentials
// and takes every tunnel to one server.
func tunnels(t *testing.T, to string) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go tunnelOne(conn, to)
		}
	}()
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}
}

func tunnelOne(conn net.Conn, to string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", req.Header.Get("Proxy-Authorization"))
		user, password, _ := req.BasicAuth()
		switch {
		case req.Method != http.MethodConnect || user != "t_1" || password != "blt_x/+":
			_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"byline task\"\r\nContent-Length: 5\r\n\r\nwho??")
			continue
		case strings.HasPrefix(req.Host, "refused."):
			_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\nno adapter here")
			return
		}
		upstream, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(upstream, r); _ = upstream.Close() }()
		_, _ = io.Copy(conn, upstream)
		return
	}
}

// surroundedBy is the environment of a task whose application answers as
// example.com (that is what httptest's certificate says).
func surroundedBy(t *testing.T) []string {
	t.Helper()
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.Host+r.URL.Path)
	}))
	t.Cleanup(app.Close)
	root := filepath.Join(t.TempDir(), "root.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw})
	if err := os.WriteFile(root, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := newEnvironment(tunnels(t, app.Listener.Addr().String()), root, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s.variables("t_1", "blt_x/+")
}

func runs(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(lookPath(t, program), args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

func TestCurlIsSurrounded(t *testing.T) {
	if out := runs(t, surroundedBy(t), "curl", "-sS", "https://example.com/a"); out != "GET example.com/a" {
		t.Fatalf("got %q", out)
	}
}

// TestNodeIsSurrounded holds for every Node.js: those that know
// NODE_USE_ENV_PROXY, and by the preload those before.
func TestNodeIsSurrounded(t *testing.T) {
	const program = `
const https = require('node:https');
const get = (url) => new Promise((done, failed) => https.get(url, (r) => {
  let b = ''; r.on('data', (c) => { b += c; }); r.on('end', () => done(b));
}).on('error', failed));
(async () => {
  const fetched = await Promise.all([1, 2, 3].map(async (n) => (await fetch('https://example.com/f' + n)).text()));
  const posted = await (await fetch('https://example.com/p', { method: 'POST', body: 'x'.repeat(100000) })).text();
  const got = await get('https://example.com/g');
  const refused = await get('https://refused.example.com/').catch((e) => 'refused');
  console.log([...fetched, posted, got, refused].join(' '));
})();`
	out := strings.TrimSpace(runs(t, surroundedBy(t), "node", "-e", program))
	const want = "GET example.com/f1 GET example.com/f2 GET example.com/f3 POST example.com/p GET example.com/g refused"
	if out != want {
		t.Fatalf("got %q\nwant %q", out, want)
	}
}

func TestJavaIsSurrounded(t *testing.T) {
	if testing.Short() {
		t.Skip("two starts of the JVM")
	}
	lookPath(t, "java")
	dir := t.TempDir()
	const program = `
import java.net.*;
class Get {
  public static void main(String[] a) throws Exception {
    String user = System.getProperty("https.proxyUser"), password = System.getProperty("https.proxyPassword");
    Authenticator.setDefault(new Authenticator() {
      protected PasswordAuthentication getPasswordAuthentication() { return new PasswordAuthentication(user, password.toCharArray()); }
    });
    System.out.print(new String(new URL("https://example.com/j").openStream().readAllBytes()));
  }
}`
	source := filepath.Join(dir, "Get.java")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out := runs(t, surroundedBy(t), "java", source)
	if !strings.HasSuffix(out, "GET example.com/j") {
		t.Fatalf("got %q", out)
	}
	if strings.Contains(out, "blt_x") {
		t.Fatalf("java prints the task's token: %s", out)
	}
}

// TestBrowserHomeTrustsTheRootAlone reads the database that a browser would.
func TestBrowserHomeTrustsTheRootAlone(t *testing.T) {
	certutil := lookPath(t, "certutil")
	dir := t.TempDir()
	if err := certs.Init(dir); err != nil {
		t.Fatal(err)
	}
	home, err := makeBrowserHome(t.TempDir(), filepath.Join(dir, "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(certutil, "-L", "-d", "sql:"+filepath.Join(home, ".pki", "nssdb")).CombinedOutput()
	if err != nil || strings.Count(string(out), "C,,") != 1 || !strings.Contains(string(out), "byline") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := makeBrowserHome(t.TempDir(), filepath.Join(dir, "root.key")); err == nil {
		t.Error("a file that is no certificate was trusted")
	}
}
