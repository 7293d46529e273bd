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

// narrow makes every bound a small one.
const narrow = `wire: {max_head_bytes: 8192, max_fields: 40, max_streams: 3, max_tunnels: 4, max_conns: 2}
`

func TestLimits(t *testing.T) {
	m := open(t, narrow, 6) // each cell has a task of its own: bounds are counted for each
	m.keeps(
		promise{name: "bytes and fields of an agent's head", test: agentsHead},
		promise{name: "bytes and fields of an answer's head", test: answersHead},
		promise{name: "requests on one connection", from: "h2", test: streams},
		promise{name: "connections of a task", test: tunnels},
		promise{name: "connections to an application", to: "h1", test: connections},
	)
}

// many is a header with so many fields that are not to be told from each other.
func many(n int) http.Header { return http.Header{"X-Many": strings.Split(strings.Repeat("y", n), "")} }

// long is one with so many bytes.
func long(n int) http.Header { return http.Header{"X-Long": {strings.Repeat("y", n)}} }

func agentsHead(c *cell) {
	c = c.alone()
	c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	for _, k := range []struct {
		name   string
		header http.Header
		code   string // "" if it passes
	}{{"7 KiB", long(7 << 10), ""}, {"9 KiB", long(9 << 10), "too_large"}, {"30 fields", many(30), ""}, {"50 fields", many(50), "too_large"}} {
		r := c.request("GET", "/page", nil)
		for name, values := range k.header {
			r.Header[name] = values
		}
		a := c.agent.Do((r))
		if k.code == "" {
			a.Want(c.t, 200, "hello")
			continue
		}
		if a.WantRefusal(c.t, k.code); a.Status != http.StatusRequestHeaderFieldsTooLarge {
			c.t.Errorf("%s: status %d", k.name, a.Status)
		}
	}
}

func answersHead(c *cell) {
	c = c.alone()
	headers := map[string]http.Header{"/fits": long(7 << 10), "/long": long(9 << 10), "/many": many(50)}
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range headers[r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]] {
			w.Header()[name] = values
		}
		fmt.Fprint(w, "hello")
	})
	c.agent.Do((c.request("GET", "/fits", nil))).Want(c.t, 200, "hello")
	for _, path := range []string{"/long", "/many"} {
		c.ends(path, "upstream_unreachable")
		if a := c.agent.Do((c.request("GET", path, nil))).WantRefusal(c.t, "upstream_unreachable"); a.Status != http.StatusBadGateway {
			c.t.Errorf("%s: status %d", path, a.Status)
		}
	}
}

// streams: one more than may be open is refused, without harm to those that are.
func streams(c *cell) {
	c = c.alone()
	let := make(chan struct{})
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		<-let
		fmt.Fprint(w, "hello")
	})
	f := c.frames()
	var most uint32
	f.until(func(frame http2.Frame) bool {
		s, ok := frame.(*http2.SettingsFrame)
		if ok {
			most, _ = s.Value(http2.SettingMaxConcurrentStreams)
		}
		return ok
	})
	if most != 3 {
		c.t.Errorf("SETTINGS_MAX_CONCURRENT_STREAMS is %d", most)
	}
	for _, id := range []uint32{1, 3, 5, 7} {
		f.asks(id, "GET", "/wait", true)
	}
	if !f.until(func(frame http2.Frame) bool {
		reset, ok := frame.(*http2.RSTStreamFrame)
		return ok && reset.StreamID == 7 && (reset.ErrCode == http2.ErrCodeRefusedStream || reset.ErrCode == http2.ErrCodeProtocol)
	}) {
		c.t.Fatal("the fourth stream was not refused")
	}
	close(let)
	whole := 0
	f.until(func(frame http2.Frame) bool {
		if d, ok := frame.(*http2.DataFrame); ok && d.StreamEnded() {
			whole++
		}
		return whole == 3
	})
	if whole != 3 {
		c.t.Errorf("%d of three streams were answered", whole)
	}
}

// tunnels: one more than a task may have is refused, other tasks are not
// concerned, and one that is closed makes room.
func tunnels(c *cell) {
	other := c.alone()
	c = c.alone()
	var open []net.Conn
	for range 4 {
		open = append(open, c.tunnel())
	}
	_, a := c.connect()
	b, err := io.ReadAll(a.Body)
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(string(b), "too_many_tunnels") || err != nil {
		c.t.Errorf("the fifth: %s %q %v", a.Status, b, err)
	}
	other.tunnel()
	open[0].Close()
	testenv.WaitUntil(c.t, "a closed tunnel makes room", func() bool {
		conn, a := c.connect()
		if a.StatusCode != http.StatusOK {
			conn.Close()
			return false
		}
		return true
	})
}

// connections: an agent that asks for more at once waits, and is answered.
func connections(c *cell) {
	c = c.alone()
	var now, most atomic.Int64
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(100 * time.Millisecond)
		fmt.Fprint(w, "hello")
	})
	var asked sync.WaitGroup
	for range 3 { // agents with a connection each, or as many streams
		asked.Go(func() { c.agent.Do((c.request("GET", "/page", nil))).Want(c.t, 200, "hello") })
	}
	asked.Wait()
	if most.Load() != 2 {
		c.t.Errorf("%d requests were with the origin at once, want 2", most.Load())
	}
}
