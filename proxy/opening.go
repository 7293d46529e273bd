package proxy

import (
	"io"
	"net"
	"net/http"

	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// opening is a protocol by which an agent asks for a tunnel. Either method answers the
// agent and is called once.
type opening interface {
	// accept tells the agent that the tunnel is open, if it can be told. It returns
	// the connection that carries the tunnel, and what was already read of it. If
	// the agent cannot be told, accept closes the connection and returns the error.
	accept() (client net.Conn, seen []byte, err error)
	// refuse tells the agent why there is no tunnel, as far as its protocol has
	// words for it, and closes the connection.
	refuse(r *Refusal, record string)
	// method is how records call the request for the tunnel.
	method() string
}

// connectOpening is CONNECT (RFC 9110 section 9.3.6).
type connectOpening struct {
	client  net.Conn
	request *http.Request
}

// connectionEstablished answers a CONNECT that is accepted.
const connectionEstablished = "HTTP/1.1 200 Connection established\r\n\r\n"

func (o connectOpening) accept() (net.Conn, []byte, error) {
	_, err := io.WriteString(o.client, connectionEstablished)
	if err != nil {
		_ = o.client.Close()
		return nil, nil, err
	}

	if front, ok := o.client.(*frontConn); ok {
		return front.detach(), nil, nil
	}
	return agents.Unguard(o.client), nil, nil
}

func (o connectOpening) refuse(r *Refusal, record string) {
	_ = r.http(o.request, record).Write(o.client)
	_ = o.client.Close()
}

func (connectOpening) method() string { return http.MethodConnect }

// socksOpening is the CONNECT command of SOCKS5 (RFC 1928 section 4).
type socksOpening struct{ in *agents.Incoming }

func (o socksOpening) accept() (net.Conn, []byte, error) {
	err := o.in.AnswerSOCKS(agents.SOCKSSucceeded)
	if err != nil {
		_ = o.in.Close()
		return nil, nil, err
	}

	client, seen := o.in.Detach()
	return client, seen, nil
}

func (o socksOpening) refuse(r *Refusal, _ string) {
	_ = o.in.AnswerSOCKS(socksReply(r))
	_ = o.in.Close()
}

func (socksOpening) method() string { return "SOCKS" }

// socksReply returns the reply that comes closest to the refusal.
func socksReply(r *Refusal) agents.SOCKSReply {
	switch r.Code {
	case UpstreamUnreached, UpstreamTLS:
		return agents.SOCKSHostUnreachable
	case NotRecorded, TooManyTunnels:
		return agents.SOCKSFailure
	}
	return agents.SOCKSNotAllowed
}

// helloOpening is a TLS handshake that nothing came before. The agent takes Byline for
// the application, so it is told nothing before the handshake.
type helloOpening struct{ in *agents.Incoming }

func (o helloOpening) accept() (net.Conn, []byte, error) {
	client, seen := o.in.Detach()
	return client, seen, nil
}

func (o helloOpening) refuse(r *Refusal, _ string) {
	alert := agents.AlertAccessDenied
	if r.Code == HostNotAdapted || r.Code == Misdirected {
		alert = agents.AlertUnrecognizedName
	}
	_ = o.in.RefuseTLS(alert)
	_ = o.in.Close()
}

func (helloOpening) method() string { return "TLS" }
