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

// rawDeflate stands for the coding deflate without the zlib format, which some
// servers send although RFC 9110, Section 8.4.1.2, demands zlib.
const rawDeflate = "raw deflate"

// encodeText returns text in a content coding. It returns it unchanged for
// codings that Byline cannot decode.
func encodeText(t *testing.T, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case rawDeflate:
		w, _ = flate.NewWriter(&b, 6)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestI1TextsAreDecodedAndMasked checks that no text passes unmasked, whatever
// coding the application chooses, and that other types pass unchanged.
func TestI1TextsAreDecodedAndMasked(t *testing.T) {
	text := strings.Repeat("some words ", 5000) + canarySession + " more"
	masked := strings.ReplaceAll(text, canarySession, maskedSession)
	handler := func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		coding := query.Get("coding")
		body := encodeText(t, strings.TrimPrefix(coding, "identity,"), text)
		if coding == rawDeflate {
			coding = "deflate"
		}

		h := w.Header()
		h.Set("Content-Type", query.Get("type"))
		h.Set("ETag", `"v1"`)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Digest", "sha-256=abc")
		h.Set("X-Requested", r.Header.Get("Accept-Encoding"))
		if coding != "" {
			h.Set("Content-Encoding", coding)
		}
		if query.Get("broken") != "" {
			body = body[:len(body)/2]
		}
		w.Write(body)
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		const codings = "gzip;q=0.9, deflate" // those of the request that Byline can decode
		for _, c := range []struct {
			query, dest, accept string // dest is Sec-Fetch-Dest
			requested           string // Accept-Encoding that must arrive
			status              int
			body, coding, etag  string
		}{
			{"type=text/html", "", "", "identity", 200, masked, "", `"v1"`},
			{"type=text/html", "document", "text/html,*/*;q=0.8", "identity", 200, masked, "", `"v1"`},
			{"type=text/html&coding=gzip", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/html&coding=x-gzip", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=application/json&coding=deflate", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/css&coding=raw+deflate", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=text/html&coding=br", "", "", "", 502, "", "", ""},
			{"type=text/html&coding=gzip", "image", "image/avif,*/*;q=0.8", codings, 200, masked, "", `W/"v1"`},
			{"type=image/png&coding=gzip", "image", "image/avif,*/*;q=0.8", codings, 200, masked, "", `W/"v1"`},
			{"type=image/png&coding=br", "image", "image/avif,*/*;q=0.8", "", 502, "", "", ""},
			{"type=text/html&coding=identity,gzip", "", "", "identity", 200, masked, "", `W/"v1"`},
			{"type=application/octet-stream&coding=br", "", "application/octet-stream", "", 502, "", "", ""},
			{"type=application/octet-stream", "", "application/octet-stream", "identity", 200, masked, "", `"v1"`},
			{"type=application/vnd.ms-excel", "", "", "identity", 200, masked, "", `"v1"`},
			{"type=image/png", "", "image/*", codings, 200, masked, "", `"v1"`},
			{"type=application/pdf", "", "", "identity", 200, masked, "", `"v1"`},
			{"type=text/html%3Bcharset=windows-1252", "", "", "identity", 200, masked, "", `"v1"`},
			{"type=text/html%3B+charset=utf-16", "", "", "", 502, "", "", ""},
			{"type=text/html%3B+charset=%22UTF-7%22", "", "", "", 502, "", "", ""},
			{"type=text/html%3B+charset=utf-8%3Bcharset=iso-2022-jp", "", "", "", 502, "", "", ""},
		} {
			r := p.newRequest(http.MethodGet, "/x?"+c.query, nil)
			r.Header.Set("Accept-Encoding", "gzip;q=0.9, deflate, br, zstd;q=0.1")
			for name, value := range map[string]string{"Sec-Fetch-Dest": c.dest, "Accept": c.accept} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}

			resp := p.send(r)
			body, err := io.ReadAll(resp.Body)
			if c.status == 502 {
				body = nil // the refusal
			}
			h := resp.Header
			requested, coding, etag := h.Get("X-Requested"), h.Get("Content-Encoding"), h.Get("ETag")
			if err != nil || resp.StatusCode != c.status || requested != c.requested || coding != c.coding || etag != c.etag {
				p.t.Errorf("GET %s, Sec-Fetch-Dest %q, Accept %q: status %d, requested %q, coding %q, ETag %s, error %v; want %d, %q, %q, %s",
					c.query, c.dest, c.accept, resp.StatusCode, requested, coding, etag, err, c.status, c.requested, c.coding, c.etag)
			}
			if string(body) != c.body {
				p.t.Errorf("I1: GET %s, Sec-Fetch-Dest %q, Accept %q: got %d bytes that differ from the expected %d", c.query, c.dest, c.accept, len(body), len(c.body))
			}
			if strings.HasPrefix(etag, "W/") && (h.Get("Digest") != "" || h.Get("Accept-Ranges") != "" || resp.ContentLength >= 0) {
				p.t.Errorf("GET %s: a decoded text has a Digest, Accept-Ranges or length of its coded form: %v", c.query, h)
			}
		}

		p.checkBreaksOff(p.get("/x?type=application/json&coding=gzip&broken=1"))
		resp := p.send(p.newRequest(http.MethodHead, "/x?type=text/html&coding=gzip", nil))
		if h := resp.Header; h.Get("Content-Encoding") != "" || h.Get("ETag") != `W/"v1"` || resp.ContentLength >= 0 {
			p.t.Errorf("HEAD has another coding, ETag or length than GET: %v", h)
		}
	})
}
