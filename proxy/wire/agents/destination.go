package agents

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket options that x/sys/unix does not name (linux/netfilter_ipv4.h and
// linux/netfilter_ipv6/ip6_tables.h). Both have the same value.
const soOriginalDst = 80

// ErrNotDiverted says that a connection was made to the listener itself.
var ErrNotDiverted = errors.New("wire: the connection was made to this listener itself, and not diverted to it")

// RedirectedFrom returns where a connection was made to before the kernel redirected it
// (nft redirect, REDIRECT of iptables). It returns ErrNotDiverted if it was not.
func RedirectedFrom(conn net.Conn) (netip.AddrPort, error) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, ErrNotDiverted
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}

	local := c.LocalAddr().(*net.TCPAddr).AddrPort()
	var original netip.AddrPort
	var failed error
	err = raw.Control(func(fd uintptr) { original, failed = originalDestination(int(fd), local.Addr()) })
	if err = errors.Join(err, failed); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w (%v)", ErrNotDiverted, err)
	}
	if original == netip.AddrPortFrom(local.Addr().Unmap(), local.Port()) {
		return netip.AddrPort{}, ErrNotDiverted
	}
	return original, nil
}

// originalDestination asks the kernel's table of connections. The answer is a sockaddr,
// which the functions for structures of the same size return.
func originalDestination(fd int, local netip.Addr) (netip.AddrPort, error) {
	if local.Is4() || local.Is4In6() {
		v, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst) // 20 bytes, of which a sockaddr_in needs 8
		if err != nil {
			return netip.AddrPort{}, err
		}
		b := v.Multiaddr
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3])), nil
	}

	v, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port := v.Addr.Port // in network byte order
	return netip.AddrPortFrom(netip.AddrFrom16(v.Addr.Addr), port<<8|port>>8), nil
}

// DivertedFrom returns where a connection was made to that TPROXY gave to a listener of
// ListenDiverted. It returns ErrNotDiverted if it was made to the listener.
func DivertedFrom(conn net.Conn, listener net.Addr) (netip.AddrPort, error) {
	local, _ := conn.LocalAddr().(*net.TCPAddr)
	own, _ := listener.(*net.TCPAddr)
	if local == nil || own == nil || local.Port == own.Port {
		return netip.AddrPort{}, ErrNotDiverted
	}
	to := local.AddrPort()
	return netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), nil
}

// ListenDiverted returns a TCP listener for TPROXY, which accepts connections to any
// address. It needs CAP_NET_ADMIN.
func ListenDiverted(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
			if network == "tcp6" && failed == nil {
				failed = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
			}
		})
		return errors.Join(err, failed)
	}}
	return config.Listen(ctx, "tcp", address)
}
