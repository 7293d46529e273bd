package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestI1NoPartOfATextComesBack checks that no method reads a text in pieces that are
// too short to be masked, from a server that answers every method with ranges, as a
// stock Apache does.
func TestI1NoPartOfATextComesBack(t *testing.T) {
	text := strings.Repeat("some words ", 50) + canarySession + " more"
	handler := func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Content-Type", query.Get("type"))
		w.Header().Set("X-Requested", r.Header.Get("Range")+r.Header.Get("Request-Range")+r.Header.Get("A-IM")+r.Header.Get("If-Range")+r.Header.Get("Accept-Charset"))
		switch {
		case query.Get("always") != "": // whatever was asked for
			w.Header().Set("Content-Range", "bytes 550-559/700")
			w.WriteHeader(206)
			io.WriteString(w, text[550:560])
		case query.Get("parts") != "":
			io.WriteString(w, "--b\r\nContent-Range: bytes 550-559/700\r\n\r\n"+text[550:560]+"\r\n--b--\r\n")
		case query.Get("delta") != "":
			w.Header().Set("IM", "diffe")
			w.WriteHeader(226)
			io.WriteString(w, text[550:560])
		case query.Get("odd") != "":
			w.Header().Set("Content-Range", "bytes 550-559/700")
			io.WriteString(w, text[550:560])
		case query.Get("binary") != "":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("\x89PNG\x00\x01\x02\x03 picture"))
		default:
			r.Method = http.MethodGet
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		}
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		masked := strings.ReplaceAll(text, canarySession, maskedSession)
		for _, c := range []struct {
			method, query, accept string
			status                int
			body                  string // of an answer that is not a refusal
		}{
			{"GET", "type=text/html", "", 200, masked},
			{"POST", "type=text/html", "", 200, masked},
			{"GET", "type=text/html", "image/png", 200, masked}, // asked again
			{"POST", "type=text/html", "image/png", 502, ""},
			{"GET", "type=application/octet-stream", "", 200, masked},
			{"POST", "type=application/octet-stream", "image/png", 502, ""},
			{"GET", "type=image/png", "image/png", 200, masked}, // text all the same
			{"POST", "type=image/png", "image/png", 502, ""},
			{"GET", "type=image/png&binary=1", "image/png", 206, "PNG\x00\x01"},
			{"GET", "type=text/html&always=1", "", 502, ""},
			{"POST", "type=text/html&always=1", "", 502, ""},
			{"GET", "type=text/html&delta=1", "", 502, ""},
			{"GET", "type=text/html&odd=1", "", 502, ""},
			{"POST", "type=multipart/byteranges&always=1", "", 502, ""},
			{"GET", "type=Multipart/ByteRanges%3Bboundary=b&parts=1", "", 502, ""},
		} {
			r := p.newRequest(c.method, "/x?"+c.query, nil)
			for _, name := range []string{"Range", "Request-Range"} {
				r.Header.Set(name, "bytes=1-5")
			}
			r.Header.Set("A-IM", "diffe")
			r.Header.Set("Accept-Charset", "utf-16")
			if c.accept != "" {
				r.Header.Set("Accept", c.accept)
			}

			resp := p.send(r)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || c.status != 502 && string(body) != c.body {
				p.t.Errorf("I1: %s %s, Accept %q: status %d, body %q, error %v; want %d, %q", c.method, c.query, c.accept, resp.StatusCode, body, err, c.status, c.body)
			}
			if requested := resp.Header.Get("X-Requested"); c.accept == "" && requested != "" || strings.Contains(requested, "utf-16") {
				p.t.Errorf("I1: %s %s, Accept %q: %q went out", c.method, c.query, c.accept, requested)
			}
		}
	})
}
