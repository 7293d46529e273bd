package proxy

import (
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestI1RefusalsDoNotQuoteSecrets lets an application put the account's password where a
// refusal, or the log, says what the application answered, and into the name of a trailer.
func TestI1RefusalsDoNotQuoteSecrets(t *testing.T) {
	inHex := hex.EncodeToString([]byte(canaryPassword))
	for name, answer := range map[string]string{
		"coding":                 "HTTP/1.1 200 OK\r\nContent-Encoding: " + canaryPassword + "\r\nContent-Length: 1\r\n\r\nx",
		"coding, hex":            "HTTP/1.1 200 OK\r\nContent-Encoding: " + inHex + "\r\nContent-Length: 1\r\n\r\nx",
		"character set":          "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=" + canaryPassword + "\r\nContent-Length: 1\r\n\r\nx",
		"status":                 "HTTP/1.1 " + canaryPassword + "\r\n\r\n",
		"length":                 "HTTP/1.1 200 OK\r\nContent-Length: " + canaryPassword + "\r\n\r\n",
		"transfer coding":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canaryPassword + "\r\n\r\n",
		"field":                  "HTTP/1.1 200 OK\r\n" + canaryPassword + "\r\n\r\n",
		"chunk":                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canaryPassword + "\r\n",
		"range":                  "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Range: " + canaryPassword + "\r\nContent-Length: 1\r\n\r\nx",
		"name of a trailer, hex": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-" + inHex + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-" + inHex + ": 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			app := newLegacyApp(t)
			serve := app.Config.Handler
			app.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/page/1" {
					serve.ServeHTTP(w, r)
					return
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, answer)
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			})
			s := startLegacyServer(t, app, t.TempDir())
			agent, _ := s.newAgent(t, pagesSpec)

			req, err := http.NewRequest("GET", "https://example.com/page/1", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := agent.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			seen := string(body) + s.log.String()
			for _, fields := range []http.Header{resp.Header, resp.Trailer} {
				for name, values := range fields {
					seen += strings.ToLower(name) + strings.Join(values, " ") + "\n"
				}
			}
			for _, secret := range []string{canaryPassword, inHex} {
				if strings.Contains(seen, secret) {
					t.Errorf("I1: %q shows in the answer or in the log: %s", secret, seen)
				}
			}
		})
	}
}
