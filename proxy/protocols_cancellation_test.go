package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCancellationReachesTheSaaS(t *testing.T) {
	began, gone := make(chan struct{}, 1), make(chan error, 1)
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.URL.Path != "/quiet" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}
		if r.URL.Path == "/up" {
			began <- struct{}{}
			_, err := io.Copy(io.Discard, r.Body)
			gone <- err
			return
		}
		began <- struct{}{}
		<-r.Context().Done()
		gone <- r.Context().Err()
	}, func(w *wires) {
		for _, path := range []string{"/quiet", "/stream", "/up"} {
			ctx, cancel := context.WithCancel(context.Background())
			r := w.request(http.MethodPost, path).WithContext(ctx)
			if path == "/up" {
				body, up := io.Pipe()
				r.Body = body
				go up.Write([]byte("some"))
			}
			go func() {
				resp, err := w.agent.Do(r)
				if err == nil { // with the answer's head here and a body to write, net/http's HTTP/2 watches ctx no more
					context.AfterFunc(ctx, func() { resp.Body.Close() })
					_, _ = io.Copy(io.Discard, resp.Body)
				}
			}()
			within(w.t, "the request "+path, began)
			cancel()
			if err := within(w.t, "the end of "+path+" at the SaaS", gone); err == nil {
				w.t.Errorf("%s ended as if it were whole", path)
			}
		}
		for _, o := range w.records("outcome") {
			if o.Code == "" {
				w.t.Errorf("%s is on record as if it were whole: %d", o.Path, o.Status)
			}
		}
	})
}

func TestAnAnswerThatBreaksOffBreaksOffForTheAgent(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/counted" {
			w.Header().Set("Content-Length", "1000000")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write([]byte("part"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, func(w *wires) {
		for _, path := range []string{"/open", "/counted"} {
			b, err := io.ReadAll(w.get(path).Body)
			if err == nil || string(b) != "part" {
				w.t.Errorf("%s: %q and %v, as if it were whole", path, b, err)
			}
		}
		if got := w.records("outcome"); len(got) != 2 || got[0].Code != string(UpstreamUnreached) || got[1].Code != string(UpstreamUnreached) {
			w.t.Errorf("on record: %+v", got)
		}
	})
}

// TestBothDirectionsAtOnce: question and answer in turn within one exchange; then
// the agent ends its own direction and the SaaS has the last word.
func TestBothDirectionsAtOnce(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				fmt.Fprint(w, "the end\n")
				return
			}
			if err != nil {
				return
			}
			fmt.Fprint(w, "re: "+line)
			w.(http.Flusher).Flush()
		}
	}, func(w *wires) {
		body, up := io.Pipe()
		r := w.request(http.MethodPost, "/talk")
		r.Body = body
		resp := w.do(r)
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			fmt.Fprintf(up, "line %d\n", i)
			if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("re: line %d\n", i) {
				w.t.Fatalf("%q %v", line, err)
			}
		}
		up.Close()
		if line, err := lines.ReadString('\n'); err != nil || line != "the end\n" {
			w.t.Errorf("%q %v", line, err)
		}
	})
}

// TestTheAnswerMayComeBeforeTheEndOfTheBody: the agent gets all of it.
func TestTheAnswerMayComeBeforeTheEndOfTheBody(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // else the library waits for the body
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, strings.Repeat("too large ", 1000))
	}, func(w *wires) {
		body, up := io.Pipe()
		defer up.Close()
		r := w.request(http.MethodPost, "/up")
		r.Body = body
		go up.Write([]byte("the beginning"))
		resp := w.do(r)
		if b, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge || len(b) != 10000 || err != nil {
			w.t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(b), err)
		}
	})
}

// TestAHalfCloseIsNoCancellation: with TLS an agent can say that it will send no
// more and still be there for the answer.
func TestAHalfCloseIsNoCancellation(t *testing.T) {
	for _, to := range []string{"h1", "h2"} {
		t.Run(to, func(t *testing.T) {
			cancelled := make(chan struct{}, 1)
			w := newWires(t, "h1", to, func(w http.ResponseWriter, r *http.Request) {
				wait := 600 * time.Millisecond
				if r.URL.Path == "/left" {
					wait = 10 * time.Second
				}
				select {
				case <-time.After(wait):
					fmt.Fprint(w, "late")
				case <-r.Context().Done():
					cancelled <- struct{}{}
				}
			}, nil)
			conn := w.secured()
			fmt.Fprint(conn, "GET /stays HTTP/1.1\r\nHost: example.com\r\n\r\n")
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(reply(t, conn).Body); string(b) != "late" || err != nil {
				t.Errorf("%q %v", b, err)
			}
			conn = w.secured()
			fmt.Fprint(conn, "GET /left HTTP/1.1\r\nHost: example.com\r\n\r\n")
			time.Sleep(300 * time.Millisecond) // it is watched by now
			conn.Close()
			within(t, "the end at the SaaS", cancelled)
		})
	}
}
