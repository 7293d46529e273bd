package agents

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
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

	socket, err := netlink.SocketGet(from, to)
	if err != nil || socket.INode == 0 { // an inode of zero: nobody has it open any more
		return 0, false
	}
	// Where no connection fits, the kernel returns the socket that listens there.
	id := socket.ID
	if int(id.SourcePort) != from.Port || int(id.DestinationPort) != to.Port || !id.Source.Equal(from.IP) || !id.Destination.Equal(to.IP) {
		return 0, false
	}
	return socket.UID, true
}
