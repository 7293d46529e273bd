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
	m := open(t, "", 3) // of which each cell takes one for a task that it ends
	m.keepsAtOnce(
		promise{name: "events come as they are sent", test: events},
		promise{name: "a long poll waits", test: longPoll},
		promise{name: "an agent that leaves is gone for the application", test: agentLeaves},
		promise{name: "an answer that breaks off breaks off for the agent", test: answerBreaksOff},
		promise{name: "an application that leaves is gone for the agent", test: applicationLeaves},
		promise{name: "question and answer take turns, and either may end first", test: bothDirections},
		promise{name: "an answer may come before the end of the body", test: earlyAnswer},
		promise{name: "a half-close is no farewell", from: "h1", test: halfClose},
	)
	m.keeps( // these alone: they move much, or are about time
		promise{name: "a slow agent holds the application up", test: slowAgent},
		promise{name: "a slow application holds the agent up", test: slowApplication},
		promise{name: "I6 a stream ends within a second of its task", test: streamEndsWithTask},
	)
}

// flush sends what was written so far.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// events: the next is sent only once the agent has this one.
func events(c *cell) {
	next := make(chan struct{})
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			fmt.Fprintf(w, "data: %d of %s\n\n", i, sessionOf(r))
			flush(w)
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	a := c.get("/events")
	lines := bufio.NewReader(a.Body)
	for i := range 5 {
		line, err := lines.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, fmt.Sprintf("data: %d of ****", i)) {
			c.t.Fatalf("%q %v", line, err)
		}
		_, _ = lines.ReadString('\n')
		next <- struct{}{}
	}
	if _, err := lines.ReadString('\n'); err != io.EOF {
		c.t.Errorf("the stream ends with %v", err)
	}
}

// longPoll: nothing moves for a while, twice on one connection.
func longPoll(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(700 * time.Millisecond):
			fmt.Fprint(w, r.RemoteAddr)
		case <-r.Context().Done():
			c.t.Error("the poll was broken off")
		}
	})
	var from [2]string
	for i := range from {
		from[i] = c.agent.Do((c.request("GET", "/poll", nil))).Want(c.t, 200, ":").Body
	}
	if c.to == "h2" && from[0] != from[1] {
		c.t.Errorf("two polls came over two connections: %v", from)
	}
}

// zeros is a body without an end that counts what was taken of it.
type zeros struct{ taken *atomic.Int64 }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	z.taken.Add(int64(len(p)))
	return len(p), nil
}

// inFlight is more than all buffers on the way hold together. Most of it is the
// kernel's, which lets a socket's grow to tens of megabytes while it is read fast.
const inFlight = 96 << 20

// rests waits until n has come to rest, and gives it.
func rests(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		was := n.Load()
		time.Sleep(400 * time.Millisecond)
		if was > 0 && n.Load() == was {
			return was
		}
	}
	t.Fatal("the sender is never held up")
	return 0
}

func slowAgent(c *cell) {
	var sent atomic.Int64
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/beside") {
			fmt.Fprint(w, "quick")
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.CopyN(w, zeros{&sent}, 1<<30)
	})
	c.ends("/down", "*")
	a := c.doAs(c.agent.WithoutTranscript(), c.request("GET", "/down", nil))
	held := rests(c.t, &sent)
	if held > inFlight {
		c.t.Errorf("%d MiB were sent to an agent that reads nothing", held>>20)
	}
	c.agent.Do((c.request("GET", "/beside", nil))).Want(c.t, 200, "quick")
	if _, err := io.CopyN(io.Discard, a.Body, held+1); err != nil {
		c.t.Errorf("it does not go on: %v", err)
	}
	a.Body.Close()
}

func slowApplication(c *cell) {
	const size = 48 << 20 // more than lies on this way, on which the origin's own buffer does not grow
	var sent atomic.Int64
	let := make(chan struct{})
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/beside") {
			fmt.Fprint(w, "quick")
			return
		}
		<-let
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})
	r := c.request("POST", "/up", io.LimitReader(zeros{&sent}, size))
	r.ContentLength = size
	answer := make(chan testenv.Answer, 1)
	go func() { answer <- c.agent.Do((r)) }()
	if held := rests(c.t, &sent); held >= size {
		c.t.Errorf("all was sent to an application that reads nothing")
	}
	c.agent.Do((c.request("GET", "/beside", nil))).Want(c.t, 200, "quick")
	close(let)
	within(c.t, "the upload", answer).Want(c.t, 200, fmt.Sprint(size, " <nil>"))
}

// agentLeaves before an answer, within one, and within its own body.
func agentLeaves(c *cell) {
	began, gone := make(chan struct{}, 1), make(chan error, 1)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if !strings.HasSuffix(r.URL.Path, "/quiet") {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			flush(w)
		}
		began <- struct{}{}
		if strings.HasSuffix(r.URL.Path, "/up") {
			_, err := io.Copy(io.Discard, r.Body)
			gone <- err
			return
		}
		<-r.Context().Done()
		gone <- r.Context().Err()
	})
	for _, path := range []string{"/quiet", "/stream", "/up"} {
		c.ends(path, "*")
		ctx, cancel := context.WithCancel(given(c.t))
		r := c.request("GET", path, nil)
		if path == "/up" {
			body, up := io.Pipe()
			r = c.request("POST", path, body)
			go up.Write([]byte("some"))
		}
		go func() {
			if a, err := c.agent.Send(r.WithContext(ctx)); err == nil { // net/http's HTTP/2 does not look at ctx any more while a body is to be written
				context.AfterFunc(ctx, func() { a.Body.Close() })
				_, _ = io.Copy(io.Discard, a.Body)
			}
		}()
		within(c.t, "the request "+path, began)
		cancel()
		if err := within(c.t, "the end of "+path+" at the origin", gone); err == nil {
			c.t.Errorf("%s ended as if it were whole", path)
		}
	}
}

func answerBreaksOff(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if strings.HasSuffix(r.URL.Path, "/counted") {
			w.Header().Set("Content-Length", "1000000")
		}
		fmt.Fprint(w, "part")
		flush(w)
		panic(http.ErrAbortHandler)
	})
	for _, path := range []string{"/open", "/counted"} {
		c.ends(path, "upstream_unreachable")
		if b, err := io.ReadAll(c.get(path).Body); err == nil || string(b) != "part" {
			c.t.Errorf("%s: %q and %v, as if it were whole", path, b, err)
		}
	}
}

// pausing is a body that says something and then nothing more, until ctx ends.
func pausing(ctx context.Context) io.Reader {
	body, up := io.Pipe()
	context.AfterFunc(ctx, func() { up.CloseWithError(ctx.Err()) }) // else the library waits for it
	go up.Write([]byte("some"))
	return body
}

// applicationLeaves in the middle of what the agent sends, which is not sent again.
func applicationLeaves(c *cell) {
	var arrived atomic.Int64
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		_, _ = io.ReadFull(r.Body, make([]byte, 4))
		if strings.HasSuffix(r.URL.Path, "/hinted") {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		if c.to == "h2" {
			panic(http.ErrAbortHandler)
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil { // else the library waits for the rest
			conn.Close()
		}
	})
	for _, path := range []string{"/up", "/hinted"} {
		arrived.Store(0)
		c.ends(path, "upstream_unreachable")
		ctx := given(c.t)
		a := c.agent.Do((c.request("POST", path, pausing(ctx)).WithContext(ctx))).WantRefusal(c.t, "upstream_unreachable")
		if a.Status != http.StatusBadGateway || arrived.Load() != 1 {
			c.t.Errorf("%s: status %d, and the request arrived %d times", path, a.Status, arrived.Load())
		}
	}
}

// bothDirections within one exchange; then the agent ends its own and the
// application has the last word.
func bothDirections(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
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
	lines := bufio.NewReader(c.do(c.request("POST", "/talk", body)).Body)
	for i := range 3 {
		fmt.Fprintf(up, "line %d\n", i)
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("re: line %d\n", i) {
			c.t.Fatalf("%q %v", line, err)
		}
	}
	up.Close()
	if line, err := lines.ReadString('\n'); err != nil || line != "the end\n" {
		c.t.Errorf("%q %v", line, err)
	}
}

func earlyAnswer(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // else the library waits for the body
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, strings.Repeat("too large ", 1000))
	})
	body, up := io.Pipe()
	defer up.Close()
	go up.Write([]byte("the beginning"))
	a := c.do(c.request("POST", "/up", body))
	if b, err := io.ReadAll(a.Body); a.StatusCode != http.StatusRequestEntityTooLarge || len(b) != 10000 || err != nil {
		c.t.Errorf("%d, %d bytes, %v", a.StatusCode, len(b), err)
	}
}

// halfClose: with TLS an agent can say that it will send no more, and still be
// there for the answer. HTTP/2 has END_STREAM for it, which every request ends with.
func halfClose(c *cell) {
	left := make(chan struct{}, 1)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		wait := 600 * time.Millisecond
		if strings.HasSuffix(r.URL.Path, "/left") {
			wait = patience
		}
		select {
		case <-time.After(wait):
			fmt.Fprint(w, "late")
		case <-r.Context().Done():
			left <- struct{}{}
		}
	})
	conn := c.secured()
	c.raw(conn, "GET", "/stays")
	if err := conn.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); string(b) != "late" || err != nil {
		c.t.Errorf("%q %v", b, err)
	}
	c.ends("/left", "*")
	conn = c.secured()
	c.raw(conn, "GET", "/left")
	time.Sleep(300 * time.Millisecond) // it is watched by now
	conn.Close()
	within(c.t, "the end at the origin", left)
}

func streamEndsWithTask(c *cell) {
	c = c.alone()
	gone := make(chan struct{}, 1)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		flush(w)
		<-r.Context().Done()
		gone <- struct{}{}
	})
	c.ends("/events", "task_ended")
	a := c.get("/events")
	if _, err := io.ReadFull(a.Body, make([]byte, len("data: first\n\n"))); err != nil {
		c.t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, a.Body)
		read <- err
	}()
	c.EndTask(c.task)
	over := time.Now()
	if within(c.t, "the agent's end", read) == nil {
		c.t.Error("the stream looks whole to the agent")
	}
	within(c.t, "the origin's end", gone)
	if d := time.Since(over); d > time.Second { // I6 is a promise about time
		c.t.Errorf("it took %v", d)
	}
}
