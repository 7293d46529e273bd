package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// names is a resolver.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) (all []netip.Addr, err error) {
	for _, a := range n[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	if len(all) == 0 {
		return nil, errors.New("no such host")
	}
	return all, nil
}

// network says what each address does: "up", "down" (refuses at once) or "" (is
// silent). It keeps the order in which it was asked.
type network struct {
	does map[string]string
	mu   sync.Mutex
	seen []string
	open []net.Conn
}

func (n *network) connect(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(addr)
	n.mu.Lock()
	n.seen = append(n.seen, host)
	n.mu.Unlock()
	switch n.does[host] {
	case "up":
		a, b := net.Pipe()
		n.mu.Lock()
		defer n.mu.Unlock()
		n.open = append(n.open, b)
		return a, nil
	case "down":
		return nil, errors.New("connection refused")
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDialTriesTheAddressesThatWereChecked(t *testing.T) {
	for _, c := range []struct {
		name  string
		addrs []string
		does  map[string]string
		seen  []string
		stage string
	}{
		{"one", []string{"192.0.43.7"}, map[string]string{"192.0.43.7": "up"}, []string{"192.0.43.7"}, ""},
		{"families take turns", []string{"2a00::1", "2a00::2", "192.0.43.7", "192.0.43.8"}, map[string]string{"192.0.43.8": "up", "192.0.43.7": "down", "2a00::1": "down", "2a00::2": "down"},
			[]string{"2a00::1", "192.0.43.7", "2a00::2", "192.0.43.8"}, ""},
		{"a silent address costs a moment", []string{"2a00::1", "192.0.43.7"}, map[string]string{"192.0.43.7": "up"}, []string{"2a00::1", "192.0.43.7"}, ""},
		{"two silent ones cost two", []string{"2a00::1", "192.0.43.7", "192.0.43.8"}, map[string]string{"192.0.43.8": "up"}, []string{"2a00::1", "192.0.43.7", "192.0.43.8"}, ""},
		{"what may not be dialled is not", []string{"::1", "10.1.2.3", "192.0.43.7", "169.254.169.254", "fd00::1"}, map[string]string{"192.0.43.7": "up"}, []string{"192.0.43.7"}, ""},
		{"a mapped address is none of a public one", []string{"::ffff:10.0.0.1", "::ffff:192.0.43.7"}, nil, nil, "address"},
		{"none is left", []string{"127.0.0.1", "::1"}, nil, nil, "address"},
		{"all refuse", []string{"2a00::1", "192.0.43.7"}, map[string]string{"2a00::1": "down", "192.0.43.7": "down"}, []string{"2a00::1", "192.0.43.7"}, "dial"},
		{"none answers", []string{"2a00::1", "192.0.43.7"}, nil, []string{"2a00::1", "192.0.43.7"}, "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &network{does: c.does}
			d := &Dialer{Resolver: names{"saas.example": c.addrs}, Connect: n.connect}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			conn, err := d.Dial(ctx, "tcp", "saas.example:443")
			var e *wire.Error
			switch {
			case c.stage == "" && err != nil:
				t.Errorf("%v", err)
			case c.stage != "" && (!errors.As(err, &e) || string(e.Stage) != c.stage):
				t.Errorf("%v, want stage %s", err, c.stage)
			}
			if conn != nil {
				conn.Close()
			}
			n.mu.Lock()
			defer n.mu.Unlock()
			if !slices.Equal(n.seen, c.seen) {
				t.Errorf("dialled %v, want %v", n.seen, c.seen)
			}
		})
	}
}

// TestOnlyOneConnectionStaysOfARace: the others are closed, also those that come
// late. TestMain finds attempts that go on.
func TestOnlyOneConnectionStaysOfARace(t *testing.T) {
	late, open := make(chan struct{}), make(chan net.Conn, 1)
	d := &Dialer{Resolver: names{"saas.example": {"2a00::1", "192.0.43.7"}}, Connect: func(_ context.Context, _, addr string) (net.Conn, error) {
		a, b := net.Pipe()
		if addr == "[2a00::1]:443" {
			<-late // and does not care that it was cancelled
			open <- b
		}
		return a, nil
	}}
	conn, err := d.Dial(context.Background(), "tcp", "saas.example:443")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	close(late)
	loser := <-open
	_ = loser.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := loser.Read(make([]byte, 1)); err == nil || netconn.IsTimeout(err) {
		t.Errorf("the other connection stays open: %v", err)
	}
}

// TestWhatADialFailedOfIsNotForgotten on its way through a pool, even where the
// socket's timer was faster than the context's.
func TestWhatADialFailedOfIsNotForgotten(t *testing.T) {
	slow := &Dialer{Allow: loopback, Connect: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}}
	p := NewPool(wire.Config{}, slow.Dial)
	defer p.Close()
	for _, protocol := range []string{"h1", "h2"} {
		_, err := p.RoundTrip(context.Background(), &Target{Scheme: "https", Authority: "127.0.0.1", Protocol: protocol}, &wire.Request{Head: wire.Head{Method: "GET", Path: "/"}})
		var e *wire.Error
		if !errors.As(err, &e) || e.Stage != "timeout" || e.Sent {
			t.Errorf("%s: %v", protocol, err)
		}
	}
}
