package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
)

var errPending = errors.New("wire: not in place")

// Guard is the strict reader in front of another parser.
func (s *Server) Guard(conn net.Conn) net.Conn { return conn }

// HeadOf is the head that a guarded connection delivered last.
func HeadOf(conn net.Conn) (*Head, bool) { return nil, false }

// FromHTTP is r in neutral form.
func FromHTTP(r *http.Request) (*Request, *Malformed) { return nil, ambiguous("not in place") }

func (s *Server) setUpH2() { s.web = &http.Server{} }

func (s *Server) serveH2(ctx context.Context, conn net.Conn, scheme string, door Door) error {
	return errPending
}

func (h *host) newH2() *http.Transport { return &http.Transport{} }

var errNotH2 = errors.New("not h2")

func (h *host) overH2(ctx context.Context, out *Request) (*Response, error) { return nil, errNotH2 }
