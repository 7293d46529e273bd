package proxy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
)

// coded is text in a content coding; "raw" is deflate without zlib's frame.
func coded(t *testing.T, coding, text string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw":
		w, _ = flate.NewWriter(&b, 6)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestI1TextComesReadable: whatever the SaaS makes of Accept-Encoding, no text
// passes unmasked, and what is no text passes as it is.
func TestI1TextComesReadable(t *testing.T) {
	text := strings.Repeat("some words ", 5000) + canarySession + " more"
	masked := strings.ReplaceAll(text, canarySession, strings.Repeat("*", len(canarySession)))
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		coding := q.Get("coding")
		b := coded(t, coding, text)
		if coding == "raw" {
			coding = "deflate"
		}
		w.Header().Set("Content-Type", q.Get("type"))
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Digest", "sha-256=abc")
		if coding != "" {
			w.Header().Set("Content-Encoding", coding)
		}
		w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
		if q.Get("broken") != "" {
			b = b[:len(b)/2]
		}
		w.Write(b)
	}, func(w *wires) {
		for _, c := range []struct {
			query, dest, accept string
			asked               string
			status              int
			body                string
			coding, etag        string
		}{
			{"type=text/html", "", "", "identity", 200, masked, "", `"v1"`},
			{"type=text/html", "document", "text/html,*/*;q=0.8", "identity", 200, masked, "", `"v1"`},
			{"type=text/html&coding=gzip", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/html&coding=x-gzip", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=application/json&coding=deflate", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/css&coding=raw", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/html&coding=br", "", "", "", 502, "", "", ""},
			{"type=text/html&coding=gzip", "image", "image/avif,*/*;q=0.8", "gzip;q=0.9, deflate", 200, masked, "", `W/"v1"`},
			{"type=image/png&coding=gzip", "image", "image/avif,*/*;q=0.8", "gzip;q=0.9, deflate", 200, string(coded(t, "gzip", text)), "gzip", `"v1"`},
			{"type=application/octet-stream&coding=br", "", "application/octet-stream", "gzip;q=0.9, deflate", 200, text, "br", `"v1"`},
			{"type=application/octet-stream", "", "application/octet-stream, text/plain", "identity", 200, text, "", `"v1"`},
			{"type=image/png", "", "image/*", "gzip;q=0.9, deflate", 200, text, "", `"v1"`},
		} {
			r := w.request(http.MethodGet, "/x?"+c.query)
			r.Header.Set("Accept-Encoding", "gzip;q=0.9, deflate, br, zstd;q=0.1")
			for name, v := range map[string]string{"Sec-Fetch-Dest": c.dest, "Accept": c.accept} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			resp := w.do(r)
			b, err := io.ReadAll(resp.Body)
			h := resp.Header
			if c.status == 502 {
				b = nil
			}
			if err != nil || resp.StatusCode != c.status || string(b) != c.body || h.Get("X-Asked") != c.asked || h.Get("Content-Encoding") != c.coding || h.Get("ETag") != c.etag {
				w.t.Errorf("%s %s %s: %d, %d bytes, %v, %v", c.query, c.dest, c.accept, resp.StatusCode, len(b), err, h)
			}
			if strings.HasPrefix(h.Get("ETag"), "W/") && (h.Get("Digest") != "" || h.Get("Accept-Ranges") != "" || resp.ContentLength >= 0) {
				w.t.Errorf("%s: what was said of the coded form is said of the text: %v", c.query, h)
			}
		}
		if b, err := io.ReadAll(w.get("/x?type=application/json&coding=gzip&broken=1").Body); err == nil {
			w.t.Errorf("a coded text that breaks off ends after %d bytes as if it were whole", len(b))
		}
		resp := w.do(w.request(http.MethodHead, "/x?type=text/html&coding=gzip"))
		if h := resp.Header; h.Get("Content-Encoding") != "" || h.Get("ETag") != `W/"v1"` || resp.ContentLength >= 0 {
			w.t.Errorf("HEAD does not say what GET gives: %v", h)
		}
	})
}
