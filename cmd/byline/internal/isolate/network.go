package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses of the loopback interface besides its own. Resolvers ask for the addresses
// of a family only if an interface has one of that family that is not a loopback address.
// Both ranges are for benchmarks (RFC 2544, RFC 5180), so that no host has them.
var (
	own4 = net.IPNet{IP: net.IPv4(198, 18, 0, 1), Mask: net.CIDRMask(32, 32)}
	own6 = net.IPNet{IP: net.ParseIP("2001:2::1"), Mask: net.CIDRMask(128, 128)}
)

// setUpNetwork makes every address local. ipv6 is false if the machine has none.
func setUpNetwork() (ipv6 bool, err error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return false, fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return false, fmt.Errorf("set the loopback interface up: %w", err)
	}

	add := func(own net.IPNet, everything net.IPNet) error {
		if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: &own, Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("add the address %v: %w", own.IP, err)
		}
		err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: &everything, Table: unix.RT_TABLE_LOCAL,
			Type: unix.RTN_LOCAL, Scope: unix.RT_SCOPE_HOST})
		if err != nil {
			return fmt.Errorf("make %v local: %w", &everything, err)
		}
		return nil
	}
	if err := add(own4, net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}); err != nil {
		return false, err
	}

	_, err = os.Stat("/proc/sys/net/ipv6/conf/lo")
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err := add(own6, net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}); err != nil {
		disabled, _ := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
		if string(disabled) == "1\n" {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// openFirstSockets opens those of kindReady: the one that sees what the kernel refuses,
// the proxy's, and those for DNS.
func openFirstSockets(ipv6 bool) ([]*os.File, error) {
	rejects, err := openRejects()
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	files := []*os.File{rejects}

	proxy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	f, err := proxy.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	files = append(files, f)

	networks := []string{"udp4"}
	if ipv6 {
		networks = append(networks, "udp6")
	}
	for _, network := range networks {
		conn, err := net.ListenUDP(network, &net.UDPAddr{Port: 53})
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		f, err := conn.File()
		if err != nil {
			return nil, err
		}
		files = append(files, f)

		// The kernel sends from an address of IPv6 that is local by a route alone only if told to.
		if network == "udp6" {
			if err := unix.SetsockoptInt(int(f.Fd()), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1); err != nil {
				return nil, os.NewSyscallError("setsockopt", err)
			}
		}
	}
	return files, nil
}

// openListener returns a listener for connections to every address on the port.
func openListener(port int, ipv6 bool) (*os.File, error) {
	network := "tcp4"
	if ipv6 {
		network = "tcp" // both
	}
	ln, err := net.ListenTCP(network, &net.TCPAddr{Port: port})
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return ln.File()
}
