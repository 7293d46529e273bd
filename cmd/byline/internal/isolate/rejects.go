package isolate

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Reject is what was refused to the program, and how often.
type Reject struct {
	Protocol string // tcp, udp or unix
	To       netip.AddrPort
	Path     string // of a socket outside
	Count    int
}

// rejects counts what was refused since the last report. The zero value is not valid.
type rejects struct {
	mu      sync.Mutex
	pending map[Reject]int // with a Count of zero → count
	wake    chan struct{}
}

func newRejects() *rejects {
	return &rejects{pending: map[Reject]int{}, wake: make(chan struct{}, 1)}
}

// add counts one.
func (r *rejects) add(one Reject) {
	one.Count = 0
	r.mu.Lock()
	if _, known := r.pending[one]; known || len(r.pending) < maxRejects {
		r.pending[one]++
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns what was counted and begins anew.
func (r *rejects) take() []Reject {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Reject
	for one, count := range r.pending {
		one.Count = count
		all = append(all, one)
	}
	clear(r.pending)
	return all
}

// openRejects returns a socket that gets the packets by which the kernel refuses a
// connection or a datagram. Its address is the loopback interface, so that it sees no
// other.
func openRejects() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "rejects")

	raw, err := bpf.Assemble(rejectsProgram)
	if err == nil {
		filter := make([]unix.SockFilter, len(raw))
		for i, r := range raw {
			filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
		}
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	}
	if err == nil { // only now do packets arrive
		protocol := uint16(unix.ETH_P_ALL)
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: 1})
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Numbers of protocols, of messages and of bits in headers.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58

	icmpUnreachable   = 3
	icmpv6Unreachable = 1
	resetAndAck       = 0x14
)

// rejectsProgram keeps, without the headers of options, what may be a refusal: resets,
// and messages that something is unreachable.
var rejectsProgram = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtType},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 19}, // the loopback interface shows each packet twice
	bpf.LoadExtension{Num: bpf.ExtProto},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: 8},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: 16},
	bpf.LoadAbsolute{Off: 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolICMP, SkipTrue: 13},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: 13},
	bpf.LoadMemShift{Off: 0},
	bpf.LoadIndirect{Off: 13, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: resetAndAck, SkipTrue: 9},
	bpf.Jump{Skip: 9},
	bpf.LoadAbsolute{Off: 6, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolICMPv6, SkipTrue: 3},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: 6},
	bpf.LoadAbsolute{Off: 53, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: resetAndAck, SkipTrue: 3, SkipFalse: 4},
	bpf.LoadAbsolute{Off: 40, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmpv6Unreachable, SkipTrue: 1},
	bpf.Jump{Skip: 1},
	bpf.RetConstant{Val: 512},
	bpf.RetConstant{Val: 0},
}

// parseReject returns what a packet of the network layer refuses.
func parseReject(p []byte) (Reject, bool) {
	protocol, from, _, payload, ok := parseIP(p)
	if !ok {
		return Reject{}, false
	}
	switch protocol {
	case protocolTCP:
		// A port at which nobody listens answers a SYN with sequence number 0
		// (RFC 9293 section 3.10.7.1).
		if len(payload) < 20 || payload[13] != resetAndAck || binary.BigEndian.Uint32(payload[4:]) != 0 {
			return Reject{}, false
		}
		return rejectOf("tcp", netip.AddrPortFrom(from, binary.BigEndian.Uint16(payload)))
	case protocolICMP, protocolICMPv6:
		want := byte(icmpUnreachable)
		if protocol == protocolICMPv6 {
			want = icmpv6Unreachable
		}
		if len(payload) < 8 || payload[0] != want {
			return Reject{}, false
		}
		refused, _, to, datagram, ok := parseIP(payload[8:])
		if !ok || refused != protocolUDP || len(datagram) < 4 {
			return Reject{}, false
		}
		return rejectOf("udp", netip.AddrPortFrom(to, binary.BigEndian.Uint16(datagram[2:])))
	}
	return Reject{}, false
}

// rejectOf leaves out what a program tries on its own machine.
func rejectOf(protocol string, to netip.AddrPort) (Reject, bool) {
	a := to.Addr()
	if a.IsLoopback() || a.IsUnspecified() || a.As16() == own6Addr.As16() || a == own4Addr {
		return Reject{}, false
	}
	return Reject{Protocol: protocol, To: to, Count: 1}, true
}

// Addresses of the loopback interface, besides those that every machine has.
var (
	own4Addr, _ = netip.AddrFromSlice(own4.IP.To4())
	own6Addr, _ = netip.AddrFromSlice(own6.IP)
)

// parseIP reads the header of a packet. Extension headers, which this kernel does not
// send in what it refuses, are not understood.
func parseIP(p []byte) (protocol byte, from, to netip.Addr, payload []byte, ok bool) {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		length := int(p[0]&0xf) * 4
		if length < 20 || len(p) < length {
			return 0, from, to, nil, false
		}
		return p[9], netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), p[length:], true
	case len(p) >= 40 && p[0]>>4 == 6:
		return p[6], netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40])), p[40:], true
	}
	return 0, from, to, nil, false
}

// maxRejects bounds how many destinations are counted apart between two reports.
const maxRejects = 256

// WatchRejects calls report with what was refused since the last call, as soon as there
// is anything, one call at a time. It returns after Close, and after the last call.
func (s *Sandbox) WatchRejects(report func([]Reject)) {
	closed := make(chan struct{})
	if s.packets == nil {
		closed = s.received
	} else {
		go s.readRejects(closed)
	}

	for ended := false; !ended; {
		select {
		case <-s.refused.wake:
		case <-closed:
			ended = true
		}
		if all := s.refused.take(); len(all) > 0 {
			report(all)
		}
	}
}

// readRejects counts what the kernel refuses until Close.
func (s *Sandbox) readRejects(closed chan<- struct{}) {
	defer close(closed)
	buf := make([]byte, 512)
	for {
		n, err := s.packets.Read(buf)
		if err != nil {
			return
		}
		if one, ok := parseReject(buf[:n]); ok {
			s.refused.add(one)
		}
	}
}
