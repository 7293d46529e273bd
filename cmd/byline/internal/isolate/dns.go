package isolate

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Resolver says whether a name leads anywhere. The name is in lower case, without the
// dot at its end, and printable. An error is answered as a failure of the server.
type Resolver func(name string) (known bool, err error)

// maxQuestion is the length of the longest question that is read. A longer one holds
// nothing that is understood.
const maxQuestion = 4096

// maxQuestionsAtOnce bounds the questions that are being answered on one socket.
const maxQuestionsAtOnce = 64

// ServeDNS answers the questions that come to the sockets, from the address to which
// each was sent, until Close.
func (s *Sandbox) ServeDNS(resolve Resolver) {
	for _, conn := range s.DNS {
		if conn.LocalAddr().(*net.UDPAddr).IP.To4() != nil {
			go serveDNS4(ipv4.NewPacketConn(conn), resolve)
		} else {
			go serveDNS6(ipv6.NewPacketConn(conn), resolve)
		}
	}
}

func serveDNS4(conn *ipv4.PacketConn, resolve Resolver) {
	if conn.SetControlMessage(ipv4.FlagDst, true) != nil {
		return
	}
	slots := make(chan struct{}, maxQuestionsAtOnce)
	for {
		buf := make([]byte, maxQuestion)
		n, cm, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			answer := AnswerDNS(buf[:n], resolve)
			if answer != nil && cm != nil {
				_, _ = conn.WriteTo(answer, &ipv4.ControlMessage{Src: cm.Dst}, from)
			}
		}()
	}
}

func serveDNS6(conn *ipv6.PacketConn, resolve Resolver) {
	if conn.SetControlMessage(ipv6.FlagDst, true) != nil {
		return
	}
	slots := make(chan struct{}, maxQuestionsAtOnce)
	for {
		buf := make([]byte, maxQuestion)
		n, cm, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			answer := AnswerDNS(buf[:n], resolve)
			if answer != nil && cm != nil {
				_, _ = conn.WriteTo(answer, &ipv6.ControlMessage{Src: cm.Dst}, from)
			}
		}()
	}
}

// idleDNS is how long a connection for DNS may be silent.
const idleDNS = 10 * time.Second

// ServeDNSConn answers the questions of a TCP connection (RFC 7766).
func ServeDNSConn(conn net.Conn, resolve Resolver) {
	defer conn.Close()
	for {
		_ = conn.SetDeadline(time.Now().Add(idleDNS))
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := AnswerDNS(question, resolve)
		if answer == nil {
			return
		}
		if _, err := conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer)))); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// prohibited is the extended error of a name that leads nowhere (RFC 8914 section 4.19).
const (
	extendedError  = 15
	prohibited     = 18
	prohibitedText = "Byline: no adapter names this host"
)

// answerTTL is for how many seconds an answer may be kept. The address of a name never
// changes; whether it is known may.
const answerTTL = 30

// AnswerDNS returns the answer to a question, or nil if it cannot be told what was
// asked. Names that lead anywhere have the addresses of [AddressesOf]; of other types
// they have no records, in particular none that would tell of HTTP/3 or encrypted
// names (HTTPS, SVCB). Other names do not exist.
func AnswerDNS(question []byte, resolve Resolver) []byte {
	var parser dnsmessage.Parser
	head, err := parser.Start(question)
	if err != nil || head.Response {
		return nil
	}
	questions, err := parser.AllQuestions()
	reply := dnsmessage.Header{ID: head.ID, Response: true, OpCode: head.OpCode, RecursionDesired: head.RecursionDesired, RecursionAvailable: true}
	if err != nil {
		reply.RCode = dnsmessage.RCodeFormatError
		return build(reply, nil, nil, false)
	}
	if head.OpCode != 0 || len(questions) != 1 || questions[0].Class != dnsmessage.ClassINET {
		reply.RCode = dnsmessage.RCodeNotImplemented
		return build(reply, questions, nil, false)
	}

	name := printableName(questions[0].Name)
	if isLoopbackName(name) {
		return build(reply, questions, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, false)
	}
	known, err := resolve(name)
	switch {
	case err != nil:
		reply.RCode = dnsmessage.RCodeServerFailure
		return build(reply, questions, nil, false)
	case !known:
		// Of the answers that refuse, this one makes every client give up at once: on
		// REFUSED some ask again, or say that the failure is temporary.
		reply.RCode = dnsmessage.RCodeNameError
		return build(reply, questions, nil, hasExtension(&parser))
	}
	v4, v6 := AddressesOf(name)
	return build(reply, questions, []netip.Addr{v4, v6}, false)
}

// build returns an answer with those addresses that were asked for.
func build(head dnsmessage.Header, questions []dnsmessage.Question, addresses []netip.Addr, explain bool) []byte {
	b := dnsmessage.NewBuilder(nil, head)
	b.EnableCompression()
	if b.StartQuestions() != nil {
		return nil
	}
	for _, q := range questions {
		if b.Question(q) != nil {
			return nil
		}
	}
	if b.StartAnswers() != nil {
		return nil
	}
	for _, a := range addresses {
		q := questions[0]
		rr := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: answerTTL}
		var err error
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			err = b.AResource(rr, dnsmessage.AResource{A: a.As4()})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			err = b.AAAAResource(rr, dnsmessage.AAAAResource{AAAA: a.As16()})
		}
		if err != nil {
			return nil
		}
	}
	if explain && b.StartAdditionals() == nil {
		var rr dnsmessage.ResourceHeader
		_ = rr.SetEDNS0(1232, dnsmessage.RCodeSuccess, false)
		data := append(binary.BigEndian.AppendUint16(nil, prohibited), prohibitedText...)
		_ = b.OPTResource(rr, dnsmessage.OPTResource{Options: []dnsmessage.Option{{Code: extendedError, Data: data}}})
	}
	answer, err := b.Finish()
	if err != nil {
		return nil
	}
	return answer
}

// hasExtension reports whether the question has an OPT record, so that the answer may
// have one (RFC 6891 section 7).
func hasExtension(p *dnsmessage.Parser) bool {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return false
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return false
		}
		if h.Type == dnsmessage.TypeOPT {
			return true
		}
		if p.SkipAdditional() != nil {
			return false
		}
	}
}

// printableName returns a name in lower case without the dot at its end, in which bytes
// that are not printable stand as \DDD.
func printableName(n dnsmessage.Name) string {
	var b strings.Builder
	for _, c := range []byte(strings.TrimSuffix(n.String(), ".")) {
		switch {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case c <= ' ' || c >= 0x7f || c == '\\':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isLoopbackName reports whether the name is for this machine (RFC 6761 section 6.3).
func isLoopbackName(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// AddressesOf returns the addresses that stand for a name, always the same ones. They
// are of the ranges for benchmarks, which no host has. Two names may share theirs:
// which host is meant is told by the connection itself.
func AddressesOf(name string) (v4, v6 netip.Addr) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	sum := h.Sum64()

	// 198.18.0.0/15 without its first and last 256 addresses.
	offset := 256 + uint32(sum%(1<<17-512))
	v4 = netip.AddrFrom4([4]byte{198, 18 + byte(offset>>16), byte(offset >> 8), byte(offset)})
	six := [16]byte{0x20, 0x01, 0x00, 0x02, 0, 0, 0, 1} // 2001:2:0:1::/64
	binary.BigEndian.PutUint64(six[8:], sum)
	return v4, netip.AddrFrom16(six)
}
