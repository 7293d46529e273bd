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

// serveTunnels runs a proxy that knows only CONNECT and leads every tunnel to one server.
// It returns its URL.
func serveTunnels(t *testing.T, to string) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = ln.Close() })

	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveTunnel(conn, to)
		}
	}()
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}
}

func serveTunnel(conn net.Conn, to string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		switch {
		case req.Method != http.MethodConnect:
			_, _ = io.WriteString(conn, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 12\r\n\r\nCONNECT only")
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
		go func() {
			_, _ = io.Copy(upstream, r)
			_ = upstream.Close()
		}()
		_, _ = io.Copy(conn, upstream)
		return
	}
}

// variablesWithApp returns the variables of a task whose proxy leads to an application that
// answers as example.com, the name in the certificate of httptest.
func variablesWithApp(t *testing.T) []string {
	t.Helper()
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.Host+r.URL.Path)
	}))
	t.Cleanup(app.Close)

	root := writeRoot(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw})))
	e, err := newEnvironment(serveTunnels(t, app.Listener.Addr().String()), root, "")
	must(t, err)
	t.Cleanup(e.remove)
	return e.variables("t_1")
}

// output runs a program and returns its output.
func output(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(lookPath(t, program), args...)
	cmd.Env = env
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

func TestCurlUsesTheProxy(t *testing.T) {
	const want = "GET example.com/a"
	if got := output(t, variablesWithApp(t), "curl", "-sS", "https://example.com/a"); got != want {
		t.Fatalf("curl prints %q, want %q", got, want)
	}
}

// TestNodeUsesTheProxy holds for every version of Node.js: newer ones read
// NODE_USE_ENV_PROXY, older ones load the script.
func TestNodeUsesTheProxy(t *testing.T) {
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
	out := strings.TrimSpace(output(t, variablesWithApp(t), "node", "-e", program))
	const want = "GET example.com/f1 GET example.com/f2 GET example.com/f3 POST example.com/p GET example.com/g refused"
	if out != want {
		t.Fatalf("node prints %q\nwant %q", out, want)
	}
}

func TestJavaUsesTheProxy(t *testing.T) {
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
	must(t, os.WriteFile(source, []byte(program), 0o600))
	out := output(t, variablesWithApp(t), "java", source)
	if !strings.HasSuffix(out, "GET example.com/j") {
		t.Fatalf("java prints %q, want GET example.com/j at the end", out)
	}
	if strings.Contains(out, "blt_x") {
		t.Fatalf("java prints the task's token: %s", out)
	}
}

// TestBrowserHomeTrustsTheRootAlone reads the database as a browser would.
func TestBrowserHomeTrustsTheRootAlone(t *testing.T) {
	certutil := lookPath(t, "certutil")
	dir := t.TempDir()
	must(t, certs.Init(dir))

	home, err := makeBrowserHome(t.TempDir(), filepath.Join(dir, "root.crt"))
	must(t, err)
	out, err := exec.Command(certutil, "-L", "-d", "sql:"+filepath.Join(home, ".pki", "nssdb")).CombinedOutput()
	if err != nil || strings.Count(string(out), "C,,") != 1 || !strings.Contains(string(out), "byline") {
		t.Errorf("certutil -L: %v, want one trusted certificate, byline:\n%s", err, out)
	}

	if _, err := makeBrowserHome(t.TempDir(), filepath.Join(dir, "root.key")); err == nil {
		t.Error("a file that is not a certificate was accepted")
	}
}
