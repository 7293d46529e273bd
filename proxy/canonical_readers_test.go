package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
)

// Applications that answer with the values of id that they read in the form, each in
// brackets; [FILE] stands for a file of that name.
const (
	phpReader = `<?php
foreach ($_POST as $name => $value) if (strtolower($name) == 'id') echo '[', is_array($value) ? 'ARRAY' : $value, ']';
foreach ($_FILES as $name => $value) if (strtolower($name) == 'id') echo '[FILE]';
`
	djangoReader = `
import sys
from django.conf import settings
settings.configure(DEBUG=False, ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__, SECRET_KEY='x', MIDDLEWARE=[])
import django
django.setup()
from django.http import HttpResponse
from django.urls import re_path
def read(request):
    out = ''.join('[%s]' % v for k, l in request.POST.lists() if k.lower() == 'id' for v in l)
    out += ''.join('[FILE]' for k in request.FILES if k.lower() == 'id')
    return HttpResponse(out)
urlpatterns = [re_path('.*', read)]
from wsgiref.simple_server import make_server, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
make_server('127.0.0.1', int(sys.argv[1]), get_wsgi_application(), handler_class=Quiet).serve_forever()
`
	werkzeugReader = `
import sys
from werkzeug.wrappers import Request, Response
@Request.application
def app(request):
    out = ''.join('[%s]' % v for k, l in request.form.lists() if k.lower() == 'id' for v in l)
    out += ''.join('[FILE]' for k in request.files if k.lower() == 'id')
    return Response(out)
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
make_server('127.0.0.1', int(sys.argv[1]), app, handler_class=Quiet).serve_forever()
`
)

// debianPython is the interpreter that sees Debian's packages, which one that comes
// first in the path may not.
const debianPython = "/usr/bin/python3"

// startReader starts a program that listens on a port of this machine.
func startReader(t *testing.T, program string, args ...string) (addr string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	_, port, _ := strings.Cut(addr, ":")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "PORT", port)
	}

	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
	}
	t.Skipf("%s does not start: is its framework installed?", program)
	return ""
}

// TestI11RealReadersReadWhatWasDecided sends generated forms through the whole server
// to real form parsers: what they read is what the action was decided by, or nothing
// arrives. The body package's own test has more parsers and more bodies.
func TestI11RealReadersReadWhatWasDecided(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no other programs are started")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"index.php": phpReader, "d.py": djangoReader, "w.py": werkzeugReader} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for _, reader := range []struct {
		name    string
		program string
		args    []string
	}{
		{"php", "php", []string{"-S", "127.0.0.1:PORT", "-t", dir, dir + "/index.php"}},
		{"django", debianPython, []string{dir + "/d.py", "PORT"}},
		{"werkzeug", debianPython, []string{dir + "/w.py", "PORT"}},
	} {
		t.Run(reader.name, func(t *testing.T) {
			addr := startReader(t, reader.program, reader.args...)
			server := startServer(t, t.TempDir(), loadRules(t, fmt.Sprintf(bodyAdapter, "http://"+addr)), func(o *Options) {
				putAccount(t, o.Vault.(*vault.File), "bodies", "agent-01", passwordAccount)
				o.SpoolDir = t.TempDir()
			})
			client, _ := server.newAgent(t, identity.Spec{
				Agent: "agent/bodies", Sponsor: "alice@acme.example", Purpose: "INC-8",
				Scope: []identity.ScopeEntry{{Adapter: "bodies", Actions: []string{"*"}}},
			})

			const bodies = 1000
			g := rand.New(rand.NewPCG(9, 1))
			arrived := 0
			for range bodies {
				contentType, body := generateForm(g)
				req, err := http.NewRequest("POST", "https://example.com/free", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", contentType)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if hasCode(string(answer), AmbiguousRequest) || hasCode(string(answer), ActionUnclassified) {
					continue
				}
				arrived++
				if resp.StatusCode != http.StatusOK || string(answer) != "[7]" {
					t.Errorf("%q %q was decided on as id 7, and the application reads %d %.200q", contentType, body, resp.StatusCode, answer)
				}
			}
			if arrived < bodies/20 {
				t.Errorf("only %d of %d forms arrived", arrived, bodies)
			}
			t.Logf("%d of %d forms arrived, each read as it was decided on", arrived, bodies)
		})
	}
}

// generateForm makes a form with a field id, and what may be taken for another one.
func generateForm(g *rand.Rand) (contentType, body string) {
	pick := func(all ...string) string { return all[g.IntN(len(all))] }
	if g.IntN(4) == 0 {
		var pairs []string
		for range 1 + g.IntN(3) {
			pairs = append(pairs, pick("id=7", "id=7", "%69d=7", "x=1", "note=a%20b+c", "Id=8", "id[]=8", "id=8", " id=8", "+id=8", "id%00=8", "id.x=8", "x;id=8", "x=%", "=8", "_charset_=utf-7", "n=%e9", "&"))
		}
		return formType + pick("", "", "; charset=utf-8", ";charset=ISO-8859-1", "; charset=utf-7", "; x=y"), strings.Join(pairs, "&")
	}

	boundary := pick("b", "0123456789abcdef0123456789abcdef")
	var b strings.Builder
	b.WriteString(pick("", "", "", "preamble\r\n", "\r\n"))
	end := pick("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n")
	for i := range 1 + g.IntN(3) {
		name := pick(`name="id"`, `name="x"`, `name=note`, `name="file"; filename="a.txt"`, `name="file"; filename=a; filename*=utf-8''b`)
		if i == 0 {
			name = pick(`name="id"`, `name="id"`, `name=id`)
		} else if g.IntN(3) == 0 {
			name = pick(`name="x"; name="id"`, `x-name="id"; name="note"`, `name="body"; foo="\"; name=id; x=\""`, `name="form-\"; name=id; x=\""`, `name*=utf-8''id`, `name="id"; filename="a"`,
				`name="id"; filename=""`, `name="note"; filename="a; name=id"`, `name="note"; filename="a\"; name=\"id"`, `name="i%64"`, `name="id "`, `name="Id"`, `name="id[]"`, `name='id'`, `filename="id"; name="y"`, `name="note;id"`)
		}
		value := "7"
		if i > 0 {
			value = pick("8", "", "--"+boundary+"x", "a\r\n--"+boundary[:1])
		}
		b.WriteString("--" + boundary + end + pick("Content-Disposition", "content-disposition") + ": form-data; " + name + end)
		b.WriteString(pick("", "", "", "", "", "", "", "", "Content-Type: text/plain; charset=UTF-8"+end, "Content-Type: text/plain; charset=utf-7"+end, "Content-Transfer-Encoding: binary"+end, "Content-Transfer-Encoding: base64"+end,
			"X-Other: "+end+" Content-Disposition: form-data; name=\"id\""+end, "Content-Disposition: form-data; name=\"id\""+end))
		b.WriteString(end + value + end)
	}
	b.WriteString(pick("--"+boundary+"--\r\n", "--"+boundary+"--\r\n", "--"+boundary+"--", "--"+boundary+"--\r\n--"+boundary+"\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n8\r\n--"+boundary+"--\r\n", ""))

	return pick("multipart/form-data; boundary="+boundary, "multipart/form-data; boundary="+boundary, "multipart/form-data; boundary="+boundary, "multipart/form-data; boundary="+boundary, `multipart/form-data; boundary="`+boundary+`"`, "multipart/form-data;charset=utf8; boundary="+boundary,
		"multipart/form-data; xboundary=y; boundary="+boundary, "multipart/form-data; boundary=y; boundary="+boundary), b.String()
}
