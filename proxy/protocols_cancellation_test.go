package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestCancellationReachesApplication cancels a request before its answer, during
// its answer and during its body. The application sees the end, and the outcome
// has a code.
func TestCancellationReachesApplication(t *testing.T) {
	arrived, ended := make(chan struct{}, 1), make(chan error, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.URL.Path != "/quiet" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}
		arrived <- struct{}{}
		if r.URL.Path == "/up" {
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
			return
		}
		<-r.Context().Done()
		ended <- r.Context().Err()
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		for _, path := range []string{"/quiet", "/stream", "/up"} {
			ctx, cancel := context.WithCancel(context.Background())
			r := p.newRequest(http.MethodPost, path, nil).WithContext(ctx)
			if path == "/up" {
				body, up := io.Pipe()
				r.Body = body
				go up.Write([]byte("some"))
			}
			go func() {
				resp, err := p.agent.Do(r)
				if err != nil {
					return
				}
				// Once there is an answer, HTTP/2 of net/http ignores
				// ctx while it has a body to write.
				context.AfterFunc(ctx, func() { resp.Body.Close() })
				_, _ = io.Copy(io.Discard, resp.Body)
			}()

			receive(p.t, "the request "+path+" at the application", arrived)
			cancel()
			if err := receive(p.t, "the end of "+path+" at the application", ended); err == nil {
				p.t.Errorf("POST %s ended at the application without an error, as if it were complete", path)
			}
		}
		for _, o := range p.readPathRecords("outcome") {
			if o.Code != string(AgentGone) {
				p.t.Errorf("the outcome of POST %s, which its agent canceled, has status %d and the code %q, want agent_gone", o.Path, o.Status, o.Code)
			}
		}
	})
}

// TestBothDirectionsAtOnce sends lines and answers in turn within one exchange.
// Then the agent ends its body, and the application answers once more.
func TestBothDirectionsAtOnce(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for lines := bufio.NewReader(r.Body); ; {
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
	}

	testAllProtocols(t, handler, func(p *protocolTest) {
		body, up := io.Pipe()
		answers := bufio.NewReader(p.send(p.newRequest(http.MethodPost, "/talk", body)).Body)
		wantAnswer := func(want string) {
			p.t.Helper()
			if line, err := answers.ReadString('\n'); err != nil || line != want {
				p.t.Fatalf("got answer %q, error %v; want %q", line, err, want)
			}
		}

		for i := range 3 {
			fmt.Fprintf(up, "line %d\n", i)
			wantAnswer(fmt.Sprintf("re: line %d\n", i))
		}
		up.Close()
		wantAnswer("the end\n")
	})
}

// TestHalfCloseDoesNotCancel closes the agent's direction of TLS after a
// request, and in another connection both directions. Only the latter cancels.
func TestHalfCloseDoesNotCancel(t *testing.T) {
	for _, to := range []string{"h1", "h2"} {
		t.Run(to, func(t *testing.T) {
			canceled := make(chan struct{}, 1)
			handler := func(w http.ResponseWriter, r *http.Request) {
				pause := 600 * time.Millisecond
				if r.URL.Path == "/closed" {
					pause = 10 * time.Second
				}
				select {
				case <-time.After(pause):
					fmt.Fprint(w, "late")
				case <-r.Context().Done():
					canceled <- struct{}{}
				}
			}
			p := newProtocolTest(t, "h1", to, handler, protocolOptions{})

			conn := p.openTLS()
			fmt.Fprint(conn, "GET /half-closed HTTP/1.1\r\nHost: example.com\r\n\r\n")
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(readResponse(t, conn).Body); string(body) != "late" || err != nil {
				t.Errorf("after a half-close: got body %q, error %v; want \"late\"", body, err)
			}

			conn = p.openTLS()
			fmt.Fprint(conn, "GET /closed HTTP/1.1\r\nHost: example.com\r\n\r\n")
			time.Sleep(300 * time.Millisecond) // until the server watches the connection
			conn.Close()
			receive(t, "the cancellation at the application", canceled)
		})
	}
}
