package agents

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// SOCKSVersion is the first byte of a SOCKS5 connection (RFC 1928 section 3).
const SOCKSVersion = 5

// SOCKSReply is why a SOCKS request is answered as it is (RFC 1928 section 6).
type SOCKSReply byte

// Replies.
const (
	SOCKSSucceeded          SOCKSReply = 0
	SOCKSFailure            SOCKSReply = 1
	SOCKSNotAllowed         SOCKSReply = 2
	SOCKSHostUnreachable    SOCKSReply = 4
	SOCKSCommandUnsupported SOCKSReply = 7
	SOCKSAddressUnsupported SOCKSReply = 8
)

// Methods of authentication (RFC 1928 section 3).
const (
	socksNone     = 0
	socksPassword = 2
	socksNoMethod = 0xff
)

// socksConnect is the one command that is served (RFC 1928 section 4).
const socksConnect = 1

// ErrNotSOCKS says that a connection does not follow RFC 1928 or RFC 1929.
var ErrNotSOCKS = errors.New("wire: not a SOCKS5 request")

// SOCKSRequest is what a client asks of a SOCKS5 server.
type SOCKSRequest struct {
	// Authority is host:port, empty if the client's host is malformed. The host is a
	// name or an address, an IPv6 address in brackets.
	Authority string
	// Address is the destination if the client named an address, else invalid.
	Address netip.AddrPort
	// User and Password are what the client authenticates with (RFC 1929), or "".
	User, Password string
	// Supported is false if the command is BIND or UDP ASSOCIATE.
	Supported bool
}

// ReadSOCKS reads a SOCKS5 request up to the point where it must be answered.
// mayOmit says that the client needs no password; one that it offers is read all the
// same. The whole exchange may take as long as within. If the client is answered that
// no method is acceptable, the error is ErrNotSOCKS.
func (in *Incoming) ReadSOCKS(within time.Duration, mayOmit bool) (*SOCKSRequest, error) {
	in.bound(within)
	defer in.reader.ClearDeadline()

	q := &SOCKSRequest{}
	if err := in.negotiateSOCKS(q, mayOmit); err != nil {
		return nil, err
	}

	head, err := in.take(4)
	if err != nil {
		return nil, err
	}
	if head[0] != SOCKSVersion || head[2] != 0 {
		return nil, ErrNotSOCKS
	}
	q.Supported = head[1] == socksConnect
	return q, in.readSOCKSAddress(q, head[3])
}

// negotiateSOCKS chooses a method of authentication and reads user and password.
func (in *Incoming) negotiateSOCKS(q *SOCKSRequest, mayOmit bool) error {
	head, err := in.take(2)
	if err != nil {
		return err
	}
	if head[0] != SOCKSVersion {
		return ErrNotSOCKS
	}
	methods, err := in.take(int(head[1]))
	if err != nil {
		return err
	}

	method := chooseSOCKSMethod(methods, mayOmit)
	if _, err := in.Write([]byte{SOCKSVersion, method}); err != nil {
		return err
	}
	switch method {
	case socksNoMethod:
		return ErrNotSOCKS
	case socksPassword:
		return in.readSOCKSPassword(q)
	}
	return nil
}

// chooseSOCKSMethod prefers a password: a client that has one means the task that it
// names.
func chooseSOCKSMethod(offered []byte, mayOmit bool) byte {
	best := byte(socksNoMethod)
	for _, m := range offered {
		switch {
		case m == socksPassword:
			return m
		case m == socksNone && mayOmit:
			best = m
		}
	}
	return best
}

// readSOCKSPassword reads user and password (RFC 1929 section 2). The client is told
// that they are accepted, because only the answer to its request can say why something
// is refused.
func (in *Incoming) readSOCKSPassword(q *SOCKSRequest) error {
	version, err := in.take(1)
	if err != nil {
		return err
	}
	if version[0] != 1 {
		return ErrNotSOCKS
	}

	for _, text := range []*string{&q.User, &q.Password} {
		length, err := in.take(1)
		if err != nil {
			return err
		}
		b, err := in.take(int(length[0]))
		if err != nil {
			return err
		}
		*text = string(b)
	}
	_, err = in.Write([]byte{1, 0})
	return err
}

// readSOCKSAddress reads the destination (RFC 1928 section 5).
func (in *Incoming) readSOCKSAddress(q *SOCKSRequest, kind byte) error {
	size := 0
	switch kind {
	case 1:
		size = 4
	case 4:
		size = 16
	case 3:
		length, err := in.take(1)
		if err != nil {
			return err
		}
		size = int(length[0])
	default:
		_ = in.AnswerSOCKS(SOCKSAddressUnsupported)
		return ErrNotSOCKS
	}

	b, err := in.take(size + 2)
	if err != nil {
		return err
	}
	port := uint16(b[size])<<8 | uint16(b[size+1])
	host := string(b[:size])

	// Clients that resolve names themselves, and those that write an address where a
	// name is meant, come to the same.
	address, isAddress := netip.AddrFromSlice(b[:size])
	if kind == 3 {
		address, err = netip.ParseAddr(host)
		isAddress = err == nil
	}
	if isAddress {
		address = address.Unmap()
		host = address.String()
		q.Address = netip.AddrPortFrom(address, port)
	}
	q.Authority, _ = h1.CheckAuthority(net.JoinHostPort(host, strconv.Itoa(int(port))))
	return nil
}

// AnswerSOCKS answers the request that ReadSOCKS returned. The address in it is zero:
// where Byline dials from is not the agent's concern.
func (in *Incoming) AnswerSOCKS(reply SOCKSReply) error {
	_, err := in.Write([]byte{SOCKSVersion, byte(reply), 0, 1, 0, 0, 0, 0, 0, 0})
	return err
}
