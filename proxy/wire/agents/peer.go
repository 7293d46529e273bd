package agents

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// PeerUID returns the user who owns the other end of a connection within this machine,
// as the kernel knows it: of a Unix socket from its credentials, of a TCP connection from
// the socket at the other end, which must be open in the same network namespace.
// destination is where the peer connected to if that is not the local address of conn.
// known is false for anything else.
func PeerUID(conn net.Conn, destination netip.AddrPort) (uid uint32, known bool) {
	for {
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = wrapper.NetConn()
	}

	switch c := conn.(type) {
	case *net.UnixConn:
		return uidOfUnixPeer(c)
	case *net.TCPConn:
		return uidOfTCPPeer(c, destination)
	}
	return 0, false
}

func uidOfUnixPeer(c *net.UnixConn) (uid uint32, known bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			uid, known = cred.Uid, true
		}
	})
	return uid, known && err == nil
}

func uidOfTCPPeer(c *net.TCPConn, destination netip.AddrPort) (uid uint32, known bool) {
	from, _ := c.RemoteAddr().(*net.TCPAddr)
	to, _ := c.LocalAddr().(*net.TCPAddr)
	if from == nil || to == nil {
		return 0, false
	}
	if destination.IsValid() {
		to = net.TCPAddrFromAddrPort(destination)
	}

	return ownerOfConnection(from.AddrPort(), to.AddrPort())
}

// Layout of a request for one socket, and of the answer, each after the header of
// netlink (linux/inet_diag.h: inet_diag_req_v2 and inet_diag_msg). Addresses and ports are
// in network byte order, everything else in that of the machine.
const (
	diagHeader  = unix.SizeofNlMsghdr
	diagRequest = 56
	diagAnswer  = 72

	diagStates      = 4 // of the request: which states of sockets are asked for
	diagRequestID   = 8 // of the request: the identity of the socket
	diagAnswerID    = 4 // of the answer
	diagAnswerUID   = 64
	diagAnswerInode = 68

	diagSource, diagDestination   = 4, 20 // addresses within an identity, after both ports
	diagNoCookie, diagCookieBytes = 40, 8
)

// ownerOfConnection asks the kernel whose socket is connected from one address to the
// other (sock_diag(7)). A socket of IPv6 that carries IPv4, as Java opens them, is found by
// its IPv4 addresses.
func ownerOfConnection(from, to netip.AddrPort) (uid uint32, known bool) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if from.Addr().Is4() != to.Addr().Is4() {
		return 0, false
	}

	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	timeout := unix.Timeval{Sec: 1}
	if unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) != nil {
		return 0, false
	}
	if unix.Sendto(fd, diagQuestion(from, to), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return 0, false
	}

	var answer [512]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil || n < diagHeader+diagAnswer || binary.NativeEndian.Uint16(answer[4:]) != unix.SOCK_DIAG_BY_FAMILY {
		return 0, false
	}
	return readDiagAnswer(answer[diagHeader:], from, to)
}

// diagQuestion returns the request for the socket that is connected from one address to
// the other.
func diagQuestion(from, to netip.AddrPort) []byte {
	b := make([]byte, diagHeader+diagRequest)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)

	q := b[diagHeader:]
	q[0], q[1] = unix.AF_INET6, unix.IPPROTO_TCP
	if from.Addr().Is4() {
		q[0] = unix.AF_INET
	}
	binary.NativeEndian.PutUint32(q[diagStates:], ^uint32(0))

	id := q[diagRequestID:]
	binary.BigEndian.PutUint16(id[0:], from.Port())
	binary.BigEndian.PutUint16(id[2:], to.Port())
	copy(id[diagSource:], from.Addr().AsSlice())
	copy(id[diagDestination:], to.Addr().AsSlice())
	for i := range diagCookieBytes {
		id[diagNoCookie+i] = 0xff
	}
	return b
}

// readDiagAnswer returns the user of the socket. Where no connection fits, the kernel
// returns the socket that listens there, whose identity is another. An inode of zero
// means that nobody has the socket open any more.
func readDiagAnswer(m []byte, from, to netip.AddrPort) (uid uint32, known bool) {
	address := func(b []byte) netip.Addr {
		if m[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16([16]byte(b[:16])).Unmap()
	}
	id := m[diagAnswerID:]
	source := netip.AddrPortFrom(address(id[diagSource:]), binary.BigEndian.Uint16(id[0:]))
	destination := netip.AddrPortFrom(address(id[diagDestination:]), binary.BigEndian.Uint16(id[2:]))
	if source != from || destination != to || binary.NativeEndian.Uint32(m[diagAnswerInode:]) == 0 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(m[diagAnswerUID:]), true
}
