package protocols

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// allowBothFamilies lets Byline connect to both loopback addresses, and makes
// the timeout for one address far longer than a test may take.
const allowBothFamilies = `guard: {allow: ["127.0.0.0/8", "::1/128"]}
wire: {dial_timeout: 2m}
`

// listenAt makes a server listen at addr. It skips the test if that is an IPv6
// address that does not exist.
func listenAt(t *testing.T, addr string) func(*httptest.Server) {
	return func(s *httptest.Server) {
		t.Helper()
		_ = s.Listener.Close()
		var err error
		if s.Listener, err = net.Listen("tcp", addr); err != nil {
			t.Skipf("no IPv6: %v", err)
		}
	}
}

// handleClientAddr makes the origin answer with the address that the request
// came from.
func (c *cell) handleClientAddr() {
	c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
}

// TestIPv6 uses IPv6 between agent and Byline and between Byline and the
// application, where the guard allows it.
func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	ln.Close()

	m := newMatrix(t, "")
	m.Listen = ln.Addr().String()
	m.Configure(allowBothFamilies)
	for _, p := range protocols {
		m.addAdapter(p, p, m.origin.listen(p, listenAt(t, "[::1]:0")), m.trustOrigin(), 1)
	}
	m.start()
	m.run(matrixTest{name: "from [::1] to [::1]", run: func(c *cell) {
		c.handleClientAddr()
		c.exchange("GET", "/page").Want(c.t, 200, "[::1]:")
	}})
}

// TestHappyEyeballs resolves a name to an IPv4 and an IPv6 address of which one
// does not respond. Byline must use the other without waiting for a timeout
// (RFC 8305).
func TestHappyEyeballs(t *testing.T) {
	m := newMatrix(t, allowBothFamilies)
	hosts := m.Dir + "/hosts"
	writeFile(t, hosts, "127.0.0.1 localhost\n::1 both.acme.test\n127.0.0.1 both.acme.test\n")
	m.ServerPrefix = commandWithHostsFile(t, hosts)

	for _, p := range protocols {
		for _, k := range []struct{ name, responding, full string }{
			{"ipv4-", "127.0.0.1", "[::1]"},
			{"ipv6-", "[::1]", "127.0.0.1"},
		} {
			url := m.origin.listen(p, listenAt(t, k.responding+":0"))
			port := url[strings.LastIndex(url, ":")+1:]
			listenWithFullQueue(t, k.full+":"+port)
			m.addAdapter(k.name+p, p, "https://both.acme.test:"+port, m.trustOrigin(), 1)
		}
	}
	m.start()

	testClientAddr := func(want string) func(*cell) {
		return func(c *cell) {
			c.handleClientAddr()
			c.agent.Do(c.newRequest("GET", "/page", nil).WithContext(timeoutContext(c.t))).Want(c.t, 200, want)
		}
	}
	m.run(
		matrixTest{name: "only 127.0.0.1 responds", adapter: "ipv4-", run: testClientAddr("127.0.0.1:")},
		matrixTest{name: "only [::1] responds", adapter: "ipv6-", run: testClientAddr("[::1]:")},
	)
}

// commandWithHostsFile returns a command that runs its arguments with another
// /etc/hosts, in a mount namespace. It skips the test if there can be none.
func commandWithHostsFile(t *testing.T, hosts string) []string {
	t.Helper()
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-rm"
	}
	command := []string{"unshare", flags, "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	if out, err := exec.Command(command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v: %s", err, out)
	}
	return command
}
