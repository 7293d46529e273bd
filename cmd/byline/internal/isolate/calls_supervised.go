package isolate

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharedNetwork is what a program may reach in a network that is not its own: Byline, and
// itself. The watcher's mutex guards it.
type sharedNetwork struct {
	ports     map[int]bool    // of the loopback interface
	abstracts map[string]bool // addresses of sockets without a file
}

func newSharedNetwork(port int) *sharedNetwork {
	return &sharedNetwork{ports: map[int]bool{port: true}, abstracts: map[string]bool{}}
}

// performShared makes a call in a shared network.
func (w *callWatcher) performShared(nr int32, socket, domain int, address []byte) syscall.Errno {
	switch {
	case domain == unix.AF_UNIX:
		return w.callAbstract(nr, socket, address)
	case domain != unix.AF_INET && domain != unix.AF_INET6:
		return rawCall(uintptr(nr), socket, address)
	case nr == unix.SYS_BIND:
		return w.bindPort(socket, address)
	}

	to, ok := parseSocketAddress(address)
	if !ok {
		if len(address) >= 2 && binary.NativeEndian.Uint16(address) == unix.AF_UNSPEC {
			return rawCall(uintptr(nr), socket, address) // dissolves an association
		}
		return unix.EAFNOSUPPORT
	}
	w.mu.Lock()
	isKnown := w.shared.ports[int(to.Port())]
	w.mu.Unlock()
	if (to.Addr().IsLoopback() || to.Addr().IsUnspecified()) && isKnown {
		return rawCall(uintptr(nr), socket, address)
	}
	w.refused(Reject{Protocol: "tcp", To: to})
	return unix.ECONNREFUSED
}

// bindPort binds a socket to a port of the loopback interface, also if the program asked for
// all interfaces, and remembers the port.
func (w *callWatcher) bindPort(socket int, address []byte) syscall.Errno {
	at, ok := parseSocketAddress(address)
	if !ok {
		return unix.EAFNOSUPPORT
	}
	if at.Addr().IsUnspecified() {
		address = w.loopbackFor(socket, int(at.Port()))
	} else if !at.Addr().IsLoopback() {
		return unix.EADDRNOTAVAIL
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if errno := rawCall(unix.SYS_BIND, socket, address); errno != 0 {
		return errno
	}
	if port := portOf(socket); port != 0 && len(w.shared.ports) < maxBound {
		w.shared.ports[port] = true
	}
	return 0
}

// loopbackFor is the address of the loopback interface for a socket: that of IPv4, also for
// a socket of both versions, unless it is one of IPv6 alone.
func (w *callWatcher) loopbackFor(socket, port int) []byte {
	family, _ := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN)
	address := make([]byte, unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6)
	binary.BigEndian.PutUint16(address[2:], uint16(port))
	if family == unix.AF_INET {
		binary.NativeEndian.PutUint16(address, unix.AF_INET)
		copy(address[4:], []byte{127, 0, 0, 1})
		return address
	}

	address = address[:unix.SizeofSockaddrInet6]
	binary.NativeEndian.PutUint16(address, unix.AF_INET6)
	onlyIPv6, _ := unix.GetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	ip := netip.MustParseAddr("::ffff:127.0.0.1").As16()
	if onlyIPv6 != 0 {
		ip = netip.IPv6Loopback().As16()
	}
	copy(address[8:], ip[:])
	return address
}

// listenShared makes a call of listen, after it has given a port of the loopback interface
// to a socket that has none.
func (w *callWatcher) listenShared(socket, domain int, backlog uintptr) syscall.Errno {
	if (domain == unix.AF_INET || domain == unix.AF_INET6) && portOf(socket) == 0 {
		if errno := w.bindPort(socket, w.loopbackFor(socket, 0)); errno != 0 {
			return errno
		}
	}
	_, _, errno := unix.Syscall(unix.SYS_LISTEN, uintptr(socket), backlog, 0)
	return errno
}

// callAbstract binds a socket to an address without a file, or connects it to one that was
// bound inside.
func (w *callWatcher) callAbstract(nr int32, socket int, address []byte) syscall.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if nr == unix.SYS_CONNECT {
		if len(address) > 2 && !w.shared.abstracts[string(address)] {
			w.refused(Reject{Protocol: "unix", Path: "@" + string(address[3:])})
			return unix.ECONNREFUSED
		}
		return rawCall(uintptr(nr), socket, address)
	}

	if errno := rawCall(uintptr(nr), socket, address); errno != 0 {
		return errno
	}
	if name, err := unix.Getsockname(socket); err == nil && len(w.shared.abstracts) < maxBound {
		if at, ok := name.(*unix.SockaddrUnix); ok && len(at.Name) > 0 && at.Name[0] == '@' {
			family := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
			w.shared.abstracts[string(family)+"\x00"+at.Name[1:]] = true
		}
	}
	return 0
}

// parseSocketAddress reads sockaddr_in and sockaddr_in6.
func parseSocketAddress(address []byte) (netip.AddrPort, bool) {
	if len(address) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(address[2:])
	switch binary.NativeEndian.Uint16(address) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), port), true
	case unix.AF_INET6:
		if len(address) < 24 {
			return netip.AddrPort{}, false
		}
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(address[8:24])).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

// portOf returns the port of a socket, or 0.
func portOf(socket int) int {
	name, err := unix.Getsockname(socket)
	if err != nil {
		return 0
	}
	switch at := name.(type) {
	case *unix.SockaddrInet4:
		return at.Port
	case *unix.SockaddrInet6:
		return at.Port
	}
	return 0
}
