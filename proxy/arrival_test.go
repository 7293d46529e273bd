package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// arrivalTest is a server with one task, whose agents bring their connections in other
// ways than CONNECT.
type arrivalTest struct {
	*testServer
	t     *testing.T
	task  *identity.Task
	token identity.Token
}

func newArrivalTest(t *testing.T, spec identity.Spec, change func(*Options)) *arrivalTest {
	t.Helper()
	app := newLegacyApp(t)
	s := &arrivalTest{t: t, testServer: startServer(t, t.TempDir(), loadLegacyRules(t, app), change)}
	var err error
	if s.task, s.token, err = s.CreateTask(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return s
}

// dial returns a connection to the proxy port over which text was sent.
func (s *arrivalTest) dial(text string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// expect reads as many bytes as want has and compares them.
func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, error %v; want %q", got[:n], err, want)
	}
}

// get sends a request for page/1 over conn, which leads to example.com, and returns the
// status of the answer. secure begins with a TLS handshake.
func (s *arrivalTest) get(conn net.Conn, secure bool, host string) int {
	s.t.Helper()
	if secure {
		conn = tls.Client(conn, &tls.Config{RootCAs: s.roots, ServerName: "example.com"})
	}
	fmt.Fprintf(conn, "GET /page/1 HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// handOver returns a connection that the listener of the task accepted, as byline run
// hands it over. A destination makes it transparent.
func (s *arrivalTest) handOver(destination string) net.Conn {
	s.t.Helper()
	if destination != "" {
		destination = wire.DestinationField + ": " + destination + "\r\n"
	}
	conn := s.dial("OPTIONS * HTTP/1.1\r\nHost: proxy\r\nConnection: Upgrade\r\nUpgrade: " + wire.ConnectionUpgrade +
		"\r\nProxy-Authorization: Bearer " + s.token.Reveal() + "\r\n" + destination + "\r\n")
	expect(s.t, conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+wire.ConnectionUpgrade+"\r\n\r\n")
	return conn
}

// identifiedBy closes the server and returns how the tasks of its requests were found.
func (s *arrivalTest) identifiedBy() (by []string) {
	s.t.Helper()
	for _, r := range s.readRecords(s.t, "intent") {
		by = append(by, r.Identified)
	}
	return by
}

// socks returns a SOCKS5 greeting with a password and a CONNECT to a name.
func socks(user, password, host string, port int) (greeting, request string) {
	greeting = "\x05\x02\x00\x02" // none, or a password
	auth := "\x01" + string(byte(len(user))) + user + string(byte(len(password))) + password
	return greeting + auth, "\x05\x01\x00\x03" + string(byte(len(host))) + host + string([]byte{byte(port >> 8), byte(port)})
}

const socksDone = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

func TestSOCKSLeadsToTheWalk(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	greeting, request := socks(s.task.ID(), s.token.Reveal(), "example.com", 443)
	conn := s.dial(greeting + request) // all at once, as some clients send it
	expect(t, conn, "\x05\x02\x01\x00"+socksDone)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("by name: got %d, want 200", status)
	}

	// An address says nothing, but the handshake inside does.
	for _, address := range []string{"\x01\xc0\x00\x02\x07", "\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07", "\x03\x09192.0.2.7"} {
		conn = s.dial(greeting + "\x05\x01\x00" + address + "\x01\xbb")
		expect(t, conn, "\x05\x02\x01\x00"+socksDone)
		if status := s.get(conn, true, "example.com"); status != http.StatusOK {
			t.Errorf("by address %q: got %d, want 200", address, status)
		}
	}
	if got := strings.Join(s.identifiedBy(), " "); got != "token token token token" {
		t.Errorf("requests were identified by %q, want by the token", got)
	}
}

func TestI7SOCKSRefusesWhatCONNECTRefuses(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	right, request := socks(s.task.ID(), s.token.Reveal(), "example.com", 443)
	wrong, _ := socks(s.task.ID(), "wrong", "example.com", 443)
	_, other := socks("", "", "other.example", 443)
	_, malformed := socks("", "", "a\x00b\r\n", 443)
	const accepted = "\x05\x02\x01\x00"
	refused := "\x05\x02" + socksDone[2:]

	for name, c := range map[string]struct{ sent, want string }{
		"no password":            {"\x05\x01\x00" + request, "\x05\xff"},
		"no method":              {"\x05\x00", "\x05\xff"},
		"GSSAPI":                 {"\x05\x01\x01", "\x05\xff"},
		"a wrong password":       {wrong + request, accepted + refused},
		"a host without adapter": {right + other, accepted + refused},
		"a malformed host":       {right + malformed, accepted + refused},
		"BIND":                   {right + "\x05\x02" + request[2:], accepted + "\x05\x07" + socksDone[2:]},
		"UDP ASSOCIATE":          {right + "\x05\x03" + request[2:], accepted + "\x05\x07" + socksDone[2:]},
		"an address of no kind":  {right + "\x05\x01\x00\x09", accepted + "\x05\x08" + socksDone[2:]},
		"SOCKS4 inside":          {right + "\x04\x01", accepted},
		"a reserved byte":        {right + "\x05\x01\x01\x03", accepted},
		"a password of version 2": {
			"\x05\x01\x02\x02\x01a\x01b", "\x05\x02",
		},
	} {
		conn := s.dial(c.sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if string(got) != c.want || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: read %q, error %v; want %q and the end", name, got, err, c.want)
		}
	}

	codes := map[string]int{}
	for _, r := range s.readRecords(t, "refusal") {
		codes[r.Code+" "+r.Host]++
	}
	for _, want := range []string{"auth_required example.com:443", "host_not_adapted other.example:443", "ambiguous_request "} {
		if codes[want] != 1 {
			t.Errorf("%d records of %q, want 1; records: %v", codes[want], want, codes)
		}
	}
}

func TestAConnectionOfATasksListenerNeedsNoCredentials(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)

	conn := s.handOver("")
	fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	expect(t, conn, connectionEstablished)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("CONNECT: got %d, want 200", status)
	}

	conn = s.handOver("")
	_, request := socks("", "", "example.com", 443)
	_, _ = io.WriteString(conn, "\x05\x01\x00"+request)
	expect(t, conn, "\x05\x00"+socksDone)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("SOCKS: got %d, want 200", status)
	}

	conn = s.handOver("192.0.2.7:443")
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("TLS at once: got %d, want 200", status)
	}
	if got := strings.Join(s.identifiedBy(), " "); got != "listener listener listener" {
		t.Errorf("requests were identified by %q, want by the listener", got)
	}
}

func TestI7AListenerIsOneTasks(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	_, otherToken, err := s.CreateTask(t.Context(), pagesSpec)
	if err != nil {
		t.Fatal(err)
	}

	conn := s.handOver("")
	fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Bearer %s\r\n\r\n", otherToken.Reveal())
	expect(t, conn, "HTTP/1.1 407 ")

	// A listener inside a listener would let an agent stack them without end.
	conn = s.handOver("")
	fmt.Fprintf(conn, "OPTIONS * HTTP/1.1\r\nHost: proxy\r\nConnection: Upgrade\r\nUpgrade: %s\r\nProxy-Authorization: Bearer %s\r\n\r\n",
		wire.ConnectionUpgrade, s.token.Reveal())
	expect(t, conn, "HTTP/1.1 400 ")

	for name, credentials := range map[string]string{
		"no token":      "",
		"a wrong token": "Proxy-Authorization: Bearer " + strings.Repeat("x", 40) + "\r\n",
	} {
		conn := s.dial("OPTIONS * HTTP/1.1\r\nHost: proxy\r\nConnection: Upgrade\r\nUpgrade: " + wire.ConnectionUpgrade + "\r\n" + credentials + "\r\n")
		got := make([]byte, len("HTTP/1.1 407"))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "HTTP/1.1 407" {
			t.Errorf("%s: read %q, error %v; want 407", name, got, err)
		}
	}
}

func TestI6AConnectionOfAListenerEndsWithItsTask(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	conns := map[string]net.Conn{
		"without a byte":            s.handOver(""),
		"transparent, a byte":       s.handOver("192.0.2.7:443"),
		"transparent, plain":        s.handOver("192.0.2.7:80"),
		"transparent, intercepting": s.handOver("192.0.2.7:443"),
	}
	_, _ = conns["transparent, a byte"].Write([]byte{0x16})
	_, _ = io.WriteString(conns["transparent, plain"], "GET /page/1 HTTP/1.1\r\n")
	if status := s.get(conns["transparent, intercepting"], true, "example.com"); status != http.StatusOK {
		t.Fatalf("got %d, want 200", status)
	}

	if _, err := s.EndTask(s.task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	for name, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("I6: %s: the connection is open after the end of its task", name)
		}
	}
}

func TestI7TransparentConnectionsAreJudgedByName(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)

	for name, c := range map[string]struct {
		serverName string
		alert      string
	}{
		"a host without adapter": {"other.example", "unrecognized name"},
		"no name":                {"", "unrecognized name"},
	} {
		conn := tls.Client(s.handOver("192.0.2.7:443"), &tls.Config{RootCAs: s.roots, ServerName: c.serverName, InsecureSkipVerify: true})
		err := conn.HandshakeContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.alert) {
			t.Errorf("%s: got %v, want alert %s", name, err, c.alert)
		}
	}

	// The host of the request must be that of the handshake.
	if status := s.get(s.handOver("192.0.2.7:443"), true, "other.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("another Host than server_name: got %d, want 421", status)
	}
	for destination, want := range map[string]int{"192.0.2.7:80": http.StatusForbidden, "192.0.2.7:8080": http.StatusForbidden} {
		if status := s.get(s.handOver(destination), false, "other.example"); status != want {
			t.Errorf("plain, to %s: got %d, want %d", destination, status, want)
		}
	}
}

func TestConnectionsOfAUserAreItsTasks(t *testing.T) {
	uid := uint32(os.Getuid())
	spec := pagesSpec
	spec.Bind = identity.Binding{UID: &uid}
	s := newArrivalTest(t, spec, nil)

	conn := s.dial("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	expect(t, conn, connectionEstablished)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("got %d, want 200", status)
	}

	socket := t.TempDir() + "/agents.sock"
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(ln) }()
	conn, err = net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	expect(t, conn, connectionEstablished)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("over a Unix socket: got %d, want 200", status)
	}
	if got := strings.Join(s.identifiedBy(), " "); got != "peer peer" {
		t.Errorf("requests were identified by %q, want by the peer", got)
	}
}

func FuzzSOCKS(f *testing.F) {
	greeting, request := socks("u", "p", "example.com", 443)
	f.Add([]byte(greeting + request))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"))
	server := agents.NewServer(Options{}.Wire)

	f.Fuzz(func(t *testing.T, sent []byte) {
		here, there := net.Pipe()
		defer there.Close()
		go func() {
			_, _ = there.Write(sent)
			_ = there.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, there) }()

		in, err := server.Incoming(here)
		if err != nil {
			return
		}
		q, err := in.ReadSOCKS(time.Second, true)
		if err != nil {
			return
		}
		if q.Authority == "" { // malformed
			return
		}
		host, port, err := net.SplitHostPort(q.Authority)
		if err != nil || canonicalAuthority(q.Authority, "https") != q.Authority {
			t.Errorf("%q: authority %q is not canonical: %v", sent, q.Authority, err)
		}
		if q.Address.IsValid() && (host != q.Address.Addr().String() || port != fmt.Sprint(q.Address.Port())) {
			t.Errorf("%q: authority %q, address %s", sent, q.Authority, q.Address)
		}
	})
}
