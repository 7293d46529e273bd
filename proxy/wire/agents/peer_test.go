package agents

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestI7ThePeerIsWhoHoldsTheOtherEnd(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": t.TempDir() + "/s"}[network]
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Skipf("%s: %v", network, err)
		}
		defer ln.Close()
		client, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		if uid, known := PeerUID(conn, netip.AddrPort{}); !known || uid != uint32(os.Getuid()) {
			t.Errorf("%s: got user %d, known %v; want %d", network, uid, known, os.Getuid())
		}
		if network != "unix" {
			// As if redirected from where nobody connected to.
			if uid, known := PeerUID(conn, netip.MustParseAddrPort("192.0.2.1:443")); known {
				t.Errorf("%s: another destination: got user %d, want none", network, uid)
			}
			client.Close()
			if uid, known := PeerUID(conn, netip.AddrPort{}); known {
				t.Errorf("%s: after it closed: got user %d, want none", network, uid)
			}
		}
	}
}

// TestI7AListenerIsNoPeer asks for a connection that is not open, from a port at which
// somebody listens.
func TestI7AListenerIsNoPeer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	// The connection comes from another address with the port of ln.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: ln.Addr().(*net.TCPAddr).Port}}
	client, err := dialer.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = client.(*net.TCPConn).SetLinger(0)
	client.Close()
	if uid, known := PeerUID(conn, netip.AddrPort{}); known {
		t.Errorf("got user %d, want none", uid)
	}
}

// TestThePeerMayCarryIPv4OverASocketOfIPv6 connects as Java does.
func TestThePeerMayCarryIPv4OverASocketOfIPv6(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	to := &unix.SockaddrInet6{Port: ln.Addr().(*net.TCPAddr).Port, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if uid, known := PeerUID(conn, netip.AddrPort{}); !known || uid != uint32(os.Getuid()) {
		t.Errorf("got user %d, known %v; want %d", uid, known, os.Getuid())
	}
}
