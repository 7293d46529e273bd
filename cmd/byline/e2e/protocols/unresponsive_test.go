package protocols

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// listenWithFullQueue occupies a loopback address so that connecting to it takes
// forever: the queue of the listener is full, and the kernel drops further
// connection requests. It returns the address with the port.
func listenWithFullQueue(t *testing.T, addr string) string {
	t.Helper()

	at := netip.MustParseAddrPort(addr)
	family := syscall.AF_INET
	var name syscall.Sockaddr = &syscall.SockaddrInet4{Port: int(at.Port()), Addr: [4]byte{127, 0, 0, 1}}
	if at.Addr().Is6() {
		family = syscall.AF_INET6
		name = &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
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

	full := netip.AddrPortFrom(at.Addr(), boundPort(t, fd)).String()
	for range 8 {
		conn, err := net.DialTimeout("tcp", full, 200*time.Millisecond)
		if err != nil {
			return full
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("this system accepts connections beyond a full queue")
	return ""
}

func boundPort(t *testing.T, fd int) uint16 {
	t.Helper()
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *syscall.SockaddrInet4:
		return uint16(a.Port)
	case *syscall.SockaddrInet6:
		return uint16(a.Port)
	}
	t.Fatalf("the socket is bound to a %T", name)
	return 0
}

// listenSilently accepts connections and neither reads nor writes.
func listenSilently(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return ln.Addr().String()
}
