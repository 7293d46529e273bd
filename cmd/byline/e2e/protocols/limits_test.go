package protocols

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

const (
	maxStreams = 3
	maxTunnels = 4
	maxConns   = 2
)

// lowLimits makes every limit low.
var lowLimits = fmt.Sprintf("wire: {max_head_bytes: 8192, max_fields: 40, max_streams: %d, max_tunnels: %d, max_conns: %d}\n", maxStreams, maxTunnels, maxConns)

// TestLimits uses a task for each cell, as limits apply to each task.
func TestLimits(t *testing.T) {
	m := startMatrix(t, lowLimits, 6)
	m.run(
		matrixTest{name: "bytes and fields in the head of a request", run: testRequestHeadLimits},
		matrixTest{name: "bytes and fields in the head of an answer", run: testAnswerHeadLimits},
		matrixTest{name: "streams of a connection", from: "h2", run: testStreamLimit},
		matrixTest{name: "tunnels of a task", run: testTunnelLimit},
		matrixTest{name: "connections to an application", to: "h1", run: testConnectionLimit},
	)
}

// headerWithFields returns a header with n equal fields.
func headerWithFields(n int) http.Header {
	return http.Header{"X-Many": strings.Split(strings.Repeat("y", n), "")}
}

// headerWithBytes returns a header with one field of n bytes.
func headerWithBytes(n int) http.Header { return http.Header{"X-Long": {strings.Repeat("y", n)}} }

func testRequestHeadLimits(c *cell) {
	c = c.withOwnTask()
	c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	for _, k := range []struct {
		name    string
		header  http.Header
		refused bool
	}{
		{"7 KiB", headerWithBytes(7 << 10), false},
		{"9 KiB", headerWithBytes(9 << 10), true},
		{"30 fields", headerWithFields(30), false},
		{"50 fields", headerWithFields(50), true},
	} {
		r := c.newRequest("GET", "/page", nil)
		for name, values := range k.header {
			r.Header[name] = values
		}
		a := c.agent.Do(r)
		if !k.refused {
			a.Want(c.t, 200, "hello")
			continue
		}
		a.WantRefusal(c.t, "too_large")
		if a.Status != http.StatusRequestHeaderFieldsTooLarge {
			c.t.Errorf("%s: got status %d, want 431", k.name, a.Status)
		}
	}
}

func testAnswerHeadLimits(c *cell) {
	c = c.withOwnTask()
	headers := map[string]http.Header{"/fits": headerWithBytes(7 << 10), "/long": headerWithBytes(9 << 10), "/many": headerWithFields(50)}
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range headers[r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]] {
			w.Header()[name] = values
		}
		fmt.Fprint(w, "hello")
	})

	c.exchange("GET", "/fits").Want(c.t, 200, "hello")
	for _, path := range []string{"/long", "/many"} {
		c.expectCode(path, "upstream_unreachable")
		a := c.exchange("GET", path).WantRefusal(c.t, "upstream_unreachable")
		if a.Status != http.StatusBadGateway {
			c.t.Errorf("GET %s: got status %d, want 502", path, a.Status)
		}
	}
}

// testStreamLimit opens one stream more than allowed. It is reset, and the
// others are answered.
func testStreamLimit(c *cell) {
	c = c.withOwnTask()
	answer := make(chan struct{})
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		fmt.Fprint(w, "hello")
	})

	f := c.newFrameAgent()
	var announced uint32
	f.readUntil(func(frame http2.Frame) bool {
		s, ok := frame.(*http2.SettingsFrame)
		if ok {
			announced, _ = s.Value(http2.SettingMaxConcurrentStreams)
		}
		return ok
	})
	if announced != maxStreams {
		c.t.Errorf("SETTINGS_MAX_CONCURRENT_STREAMS is %d, want %d", announced, maxStreams)
	}

	for _, stream := range []uint32{1, 3, 5, 7} {
		f.writeRequest(stream, "GET", "/wait")
	}
	if !f.readUntil(func(frame http2.Frame) bool {
		reset, ok := frame.(*http2.RSTStreamFrame)
		return ok && reset.StreamID == 7 && (reset.ErrCode == http2.ErrCodeRefusedStream || reset.ErrCode == http2.ErrCodeProtocol)
	}) {
		c.t.Fatal("the connection ended before the fourth stream was reset")
	}

	close(answer)
	answered := 0
	f.readUntil(func(frame http2.Frame) bool {
		if endsStream(frame) {
			answered++
		}
		return answered == maxStreams
	})
	if answered != maxStreams {
		c.t.Errorf("%d streams were answered, want %d", answered, maxStreams)
	}
}

// testTunnelLimit opens one tunnel more than a task may have. It is refused;
// another task is not affected, and a closed tunnel makes room.
func testTunnelLimit(c *cell) {
	other := c.withOwnTask()
	c = c.withOwnTask()
	var open []net.Conn
	for range maxTunnels {
		open = append(open, c.openTunnel())
	}

	_, resp := c.connect()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "too_many_tunnels") || err != nil {
		c.t.Errorf("tunnel %d: got %s, Retry-After %q, error %v, body %q; want 429, a Retry-After and too_many_tunnels",
			maxTunnels+1, resp.Status, resp.Header.Get("Retry-After"), err, body)
	}

	other.openTunnel()
	open[0].Close()
	testenv.WaitUntil(c.t, "a closed tunnel makes room", func() bool {
		conn, resp := c.connect()
		if resp.StatusCode != http.StatusOK {
			conn.Close()
			return false
		}
		return true
	})
}

// testConnectionLimit sends more requests at once than there may be connections
// to the application. They wait, and all are answered.
func testConnectionLimit(c *cell) {
	c = c.withOwnTask()
	var current, most atomic.Int64
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		n := current.Add(1)
		defer current.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(100 * time.Millisecond)
		fmt.Fprint(w, "hello")
	})

	var requests sync.WaitGroup
	for range maxConns + 1 { // each over its own connection, or its own stream
		requests.Go(func() { c.exchange("GET", "/page").Want(c.t, 200, "hello") })
	}
	requests.Wait()
	if most.Load() != maxConns {
		c.t.Errorf("at most %d requests were at the origin at once, want %d", most.Load(), maxConns)
	}
}
