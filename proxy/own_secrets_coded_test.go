package proxy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestI1ACodedBodyWithTheAccountsSecretIsAnAttack sends the password in bodies whose
// coding the application undoes before it shows them.
func TestI1ACodedBodyWithTheAccountsSecretIsAnAttack(t *testing.T) {
	text := []byte(strings.Repeat("candidate ", 100) + canaryPassword)
	gzipped := pack(t, text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	zlibbed := pack(t, text, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	deflated := pack(t, text, func(w io.Writer) io.WriteCloser { bare, _ := flate.NewWriter(w, 9); return bare })
	twoMembers := append(pack(t, []byte("first"), func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }), gzipped...)

	for _, c := range []struct {
		name, path, mediaType, coding string
		body                          []byte
		chunked                       bool
	}{
		{"gzip", "/page/1", "text/plain", "gzip", gzipped, false},
		{"gzip, in chunks", "/page/1", "text/plain", "gzip", gzipped, true},
		{"gzip in capitals", "/page/1", "text/plain", "GZIP", gzipped, false},
		{"x-gzip", "/page/1", "application/octet-stream", "x-gzip", gzipped, true},
		{"two members of gzip", "/page/1", "text/plain", "gzip", twoMembers, true},
		{"zlib", "/page/1", "text/plain", "deflate", zlibbed, false},
		{"deflate", "/page/1", "", "deflate", deflated, true},
		{"verbatim", "/file/1", "text/plain", "gzip", gzipped, false},
		{"verbatim, in chunks", "/file/1", "text/plain", "gzip", gzipped, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := newLegacyApp(t)
			adapter := fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server)) + `
  - {name: page.upload, match: {method: POST, path: "/file/{id}"}, resource: "page/{id}", verbatim: true}
`
			s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)
			agent, task := s.newAgent(t, pagesSpec)
			r, err := http.NewRequest("POST", "https://example.com"+c.path, bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.chunked {
				r.ContentLength = -1
			}
			if c.mediaType != "" {
				r.Header.Set("Content-Type", c.mediaType)
			}
			r.Header.Set("Content-Encoding", c.coding)
			checkAttackIsRefused(t, s, agent, r, task.ID())
		})
	}
}

func pack(t *testing.T, text []byte, open func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCodedBodiesArriveAsTheyWereSent sends coded bodies without a secret, and one that is
// not of the coding that it names.
func TestCodedBodiesArriveAsTheyWereSent(t *testing.T) {
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	for name, body := range map[string][]byte{
		"gzip": pack(t, bytes.Repeat([]byte("text "), 50_000), func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"text": []byte("this is not gzip"),
	} {
		r, err := http.NewRequest("POST", "https://example.com/page/1", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Content-Encoding", "gzip")
		resp, err := agent.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Contains(answer, body) {
			t.Errorf("%s: got status %d and %d bytes, want the %d bytes that were sent", name, resp.StatusCode, len(answer), len(body))
		}
	}
}
