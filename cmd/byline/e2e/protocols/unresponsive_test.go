package protocols

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// deaf occupies an address so that connecting to it takes for ever: its queue is
// full, and the kernel drops what asks to get in.
func deaf(t *testing.T, addr string) string {
	t.Helper()
	at := netip.MustParseAddrPort(addr)
	family, name := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: int(at.Port()), Addr: [4]byte{127, 0, 0, 1}})
	if at.Addr().Is6() {
		family, name = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, name); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := 0
	switch a := bound.(type) {
	case *syscall.SockaddrInet4:
		port = a.Port
	case *syscall.SockaddrInet6:
		port = a.Port
	}
	full := netip.AddrPortFrom(at.Addr(), uint16(port)).String()
	for range 8 {
		conn, err := net.DialTimeout("tcp", full, 200*time.Millisecond)
		if err != nil {
			return full
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("this system takes connections beyond a full queue")
	return ""
}
