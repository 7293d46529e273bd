package protocols

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

func TestStreams(t *testing.T) {
	m := startMatrix(t, "", 3)
	m.runConcurrently(
		matrixTest{name: "events arrive as they are sent", run: testEvents},
		matrixTest{name: "a long poll waits", run: testLongPoll},
		matrixTest{name: "cancellation by the agent reaches the application", run: testAgentCancels},
		matrixTest{name: "an answer that breaks off breaks off for the agent", run: testAnswerBreaksOff},
		matrixTest{name: "a connection that the application closes is a refusal", run: testApplicationCloses},
		matrixTest{name: "both directions are used in turn, and either may end first", run: testBothDirections},
		matrixTest{name: "an answer may end before the request's body", run: testEarlyAnswer},
		matrixTest{name: "a half-close does not cancel", from: "h1", run: testHalfClose},
	)
	m.run( // one by one, as they move many bytes or measure time
		matrixTest{name: "a slow agent holds up the application", run: testSlowAgent},
		matrixTest{name: "a slow application holds up the agent", run: testSlowApplication},
		matrixTest{name: "I6 a stream ends within a second of its task", run: testStreamEndsWithTask},
	)
}

// testEvents sends each event only when the agent has the one before.
func testEvents(c *cell) {
	const events = 5
	next := make(chan struct{})
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range events {
			fmt.Fprintf(w, "data: %d of %s\n\n", i, sessionOf(r))
			flush(w)
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})

	lines := bufio.NewReader(c.get("/events").Body)
	for i := range events {
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf("data: %d of ****", i); err != nil || !strings.HasPrefix(line, want) {
			c.t.Fatalf("event %d: got %q, error %v; want %q", i, line, err, want)
		}
		_, _ = lines.ReadString('\n')
		next <- struct{}{}
	}
	if _, err := lines.ReadString('\n'); err != io.EOF {
		c.t.Errorf("the stream ended with %v, want EOF", err)
	}
}

// testLongPoll sends two requests whose answers come after a pause, over the
// same connection.
func testLongPoll(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(700 * time.Millisecond):
			fmt.Fprint(w, r.RemoteAddr)
		case <-r.Context().Done():
			c.t.Error("the poll was canceled before its answer")
		}
	})

	first := c.exchange("GET", "/poll").Want(c.t, 200, ":").Body
	second := c.exchange("GET", "/poll").Want(c.t, 200, ":").Body
	if c.to == "h2" && first != second {
		c.t.Errorf("two polls came from %s and %s, want the same connection", first, second)
	}
}

// testAgentCancels cancels before the answer, during the answer, and during the
// request's body.
func testAgentCancels(c *cell) {
	arrived, ended := make(chan struct{}, 1), make(chan error, 1)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if !strings.HasSuffix(r.URL.Path, "/quiet") {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			flush(w)
		}
		arrived <- struct{}{}
		if strings.HasSuffix(r.URL.Path, "/up") {
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
			return
		}
		<-r.Context().Done()
		ended <- r.Context().Err()
	})

	for _, path := range []string{"/quiet", "/stream", "/up"} {
		c.expectCode(path, anyFailure)
		ctx, cancel := context.WithCancel(timeoutContext(c.t))
		r := c.newRequest("GET", path, nil)
		if path == "/up" {
			body, up := io.Pipe()
			r = c.newRequest("POST", path, body)
			go up.Write([]byte("some"))
		}

		go func() {
			resp, err := c.agent.Send(r.WithContext(ctx))
			if err != nil {
				return
			}
			// Once there is an answer, HTTP/2 of net/http ignores ctx
			// while it has a body to write.
			context.AfterFunc(ctx, func() { resp.Body.Close() })
			_, _ = io.Copy(io.Discard, resp.Body)
		}()
		receive(c.t, "the request "+path+" at the origin", arrived)
		cancel()
		if err := receive(c.t, "the end of "+path+" at the origin", ended); err == nil {
			c.t.Errorf("%s ended at the origin without an error, as if it were complete", path)
		}
	}
}

func testAnswerBreaksOff(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if strings.HasSuffix(r.URL.Path, "/counted") {
			w.Header().Set("Content-Length", "1000000")
		}
		fmt.Fprint(w, "part")
		flush(w)
		panic(http.ErrAbortHandler)
	})

	for _, path := range []string{"/open", "/counted"} {
		c.expectCode(path, "upstream_unreachable")
		body, err := io.ReadAll(c.get(path).Body)
		if err == nil || string(body) != "part" {
			c.t.Errorf("GET %s: got body %q, error %v; want \"part\" and an error", path, body, err)
		}
	}
}

// bodyThatPauses returns a body that has a few bytes and then none until ctx
// ends. Then it fails, as net/http waits for a Read to return.
func bodyThatPauses(ctx context.Context) io.Reader {
	body, up := io.Pipe()
	context.AfterFunc(ctx, func() { up.CloseWithError(ctx.Err()) })
	go up.Write([]byte("some"))
	return body
}

// testApplicationCloses has the application close the connection while the
// agent sends its body. The request is not sent a second time.
func testApplicationCloses(c *cell) {
	var received atomic.Int64
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		received.Add(1)
		_, _ = io.ReadFull(r.Body, make([]byte, 4))
		if strings.HasSuffix(r.URL.Path, "/hinted") {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		if c.to == "h2" {
			panic(http.ErrAbortHandler)
		}
		// Without Hijack, net/http would wait for the rest of the body.
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	})

	for _, path := range []string{"/up", "/hinted"} {
		received.Store(0)
		c.expectCode(path, "upstream_unreachable")
		ctx := timeoutContext(c.t)
		r := c.newRequest("POST", path, bodyThatPauses(ctx)).WithContext(ctx)
		a := c.agent.Do(r).WantRefusal(c.t, "upstream_unreachable")
		if a.Status != http.StatusBadGateway || received.Load() != 1 {
			c.t.Errorf("POST %s: status %d, received %d times; want 502 and once", path, a.Status, received.Load())
		}
	}
}

// testBothDirections sends lines and answers in turn within one exchange. Then
// the agent ends its body, and the application answers once more.
func testBothDirections(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
		flush(w)
		for lines := bufio.NewReader(r.Body); ; {
			line, err := lines.ReadString('\n')
			switch {
			case err == io.EOF:
				fmt.Fprint(w, "the end\n")
				return
			case err != nil:
				return
			}
			fmt.Fprint(w, "re: "+line)
			flush(w)
		}
	})

	body, up := io.Pipe()
	answers := bufio.NewReader(c.send(c.newRequest("POST", "/talk", body)).Body)
	wantAnswer := func(want string) {
		c.t.Helper()
		if line, err := answers.ReadString('\n'); err != nil || line != want {
			c.t.Fatalf("got answer %q, error %v; want %q", line, err, want)
		}
	}
	for i := range 3 {
		fmt.Fprintf(up, "line %d\n", i)
		wantAnswer(fmt.Sprintf("re: line %d\n", i))
	}
	up.Close()
	wantAnswer("the end\n")
}

func testEarlyAnswer(c *cell) {
	text := strings.Repeat("too large ", 1000)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // else net/http waits for the body
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, text)
	})

	body, up := io.Pipe()
	defer up.Close()
	go up.Write([]byte("the beginning"))
	resp := c.send(c.newRequest("POST", "/up", body))
	got, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge || len(got) != len(text) || err != nil {
		c.t.Errorf("got status %d, %d bytes, error %v; want 413 and %d bytes", resp.StatusCode, len(got), err, len(text))
	}
}

// testHalfClose closes the agent's direction of TLS after a request, and in
// another connection both directions. Only the latter cancels the request. In
// HTTP/2 every request ends with END_STREAM, which has the same meaning.
func testHalfClose(c *cell) {
	canceled := make(chan struct{}, 1)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		pause := 600 * time.Millisecond
		if strings.HasSuffix(r.URL.Path, "/closed") {
			pause = timeout
		}
		select {
		case <-time.After(pause):
			fmt.Fprint(w, "late")
		case <-r.Context().Done():
			canceled <- struct{}{}
		}
	})

	conn := c.openTLS()
	c.writeHead(conn, "GET", "/half-closed")
	if err := conn.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "late" || err != nil {
		c.t.Errorf("after a half-close: got body %q, error %v; want \"late\"", body, err)
	}

	c.expectCode("/closed", anyFailure)
	conn = c.openTLS()
	c.writeHead(conn, "GET", "/closed")
	time.Sleep(300 * time.Millisecond) // until Byline watches the connection
	conn.Close()
	receive(c.t, "the cancellation at the origin", canceled)
}

// zeros is an endless body. It counts the bytes that were read of it.
type zeros struct{ read *atomic.Int64 }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read.Add(int64(len(p)))
	return len(p), nil
}

// maxBuffered is more than all buffers between agent and application hold. Most
// of it is the kernel's, which grows the buffer of a socket to tens of megabytes
// while it is read fast.
const maxBuffered = 96 << 20

// waitForStall waits until n has not changed for a while, and returns it.
func waitForStall(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		before := n.Load()
		time.Sleep(400 * time.Millisecond)
		if before > 0 && n.Load() == before {
			return before
		}
	}
	t.Fatalf("the sender was not held up within %v: it has sent %d bytes", timeout, n.Load())
	return 0
}

// testSlowAgent does not read a large answer. The application is held up, other
// requests are not, and the answer goes on when the agent reads it.
func testSlowAgent(c *cell) {
	var sent atomic.Int64
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/quick") {
			fmt.Fprint(w, "quick")
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.CopyN(w, zeros{&sent}, 1<<30)
	})

	c.expectCode("/down", anyFailure)
	resp := c.sendAs(c.agent.WithoutTranscript(), c.newRequest("GET", "/down", nil))
	held := waitForStall(c.t, &sent)
	if held > maxBuffered {
		c.t.Errorf("%d MiB were sent to an agent that does not read, want at most %d MiB", held>>20, maxBuffered>>20)
	}
	c.exchange("GET", "/quick").Want(c.t, 200, "quick")
	if _, err := io.CopyN(io.Discard, resp.Body, held+1); err != nil {
		c.t.Errorf("the answer did not go on after %d bytes: %v", held, err)
	}
	resp.Body.Close()
}

// testSlowApplication does not read a large request. The agent is held up, other
// requests are not, and the request goes on when the application reads it.
func testSlowApplication(c *cell) {
	const size = 48 << 20 // more than is buffered here, where the origin's own buffer does not grow
	var sent atomic.Int64
	read := make(chan struct{})
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/quick") {
			fmt.Fprint(w, "quick")
			return
		}
		<-read
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})

	r := c.newRequest("POST", "/up", io.LimitReader(zeros{&sent}, size))
	r.ContentLength = size
	answer := make(chan testenv.Answer, 1)
	go func() { answer <- c.agent.Do(r) }()
	if held := waitForStall(c.t, &sent); held >= size {
		c.t.Errorf("all %d bytes were sent to an application that does not read, want less", held)
	}
	c.exchange("GET", "/quick").Want(c.t, 200, "quick")
	close(read)
	receive(c.t, "the answer to the upload", answer).Want(c.t, 200, fmt.Sprint(size, " <nil>"))
}

func testStreamEndsWithTask(c *cell) {
	c = c.withOwnTask()
	const first = "data: first\n\n"
	originEnded := make(chan struct{}, 1)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, first)
		flush(w)
		<-r.Context().Done()
		originEnded <- struct{}{}
	})

	c.expectCode("/events", "task_ended")
	resp := c.get("/events")
	if _, err := io.ReadFull(resp.Body, make([]byte, len(first))); err != nil {
		c.t.Fatal(err)
	}
	agentEnded := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, resp.Body)
		agentEnded <- err
	}()

	c.EndTask(c.task)
	ended := time.Now()
	if receive(c.t, "the end of the stream for the agent", agentEnded) == nil {
		c.t.Error("the stream looks complete to the agent, want an error")
	}
	receive(c.t, "the end of the stream at the origin", originEnded)
	if d := time.Since(ended); d > time.Second {
		c.t.Errorf("I6: the stream ended %v after its task, want at most a second", d)
	}
}
