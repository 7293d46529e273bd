package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// peerKey is the context key of a [peer].
type peerKey struct{}

// peer is the user at the other end of a Unix connection.
type peer struct {
	uid uint32
	err error // not nil if the kernel did not tell the uid
}

// ConnContext stores the peer of a Unix connection in the context. Set it as
// ConnContext of the http.Server; [Server] does.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}

	uid, err := uidOfPeer(u)
	return context.WithValue(ctx, peerKey{}, peer{uid, err})
}

// uidOfPeer asks the kernel who connected (SO_PEERCRED, unix(7)).
func uidOfPeer(u *net.UnixConn) (uint32, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}

	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

// requireOperator admits root and the server's own user on the Unix socket, and the
// bearer of the token over TCP. Others are answered 403 and 401.
func (a *api) requireOperator(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, local := r.Context().Value(peerKey{}).(peer)

		if local && !mayControl(p) {
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusForbidden,
				Code:   "forbidden",
				Detail: "this user may not control the server",
				Remedy: "ask as root or as the user the server runs as, or use TCP with the token",
			})
			return
		}

		if !local && !a.bearsToken(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="byline control"`)
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusUnauthorized,
				Code:   "auth_required",
				Detail: "the control token is missing or wrong",
				Remedy: "send Authorization: Bearer with the content of the token file",
			})
			return
		}

		next(w, r)
	})
}

// mayControl tells whether the peer is root or the server's own user.
func mayControl(p peer) bool {
	return p.err == nil && (p.uid == 0 || p.uid == uint32(os.Getuid()))
}

// bearsToken tells whether the request carries the token. The comparison takes the
// same time for every wrong token, whatever its length.
func (a *api) bearsToken(r *http.Request) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want := a.cfg.Token.Reveal()
	if want == "" || !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return false
	}

	x := sha256.Sum256([]byte(got))
	y := sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// requireKnownHost refuses two kinds of requests that a web page can make an
// operator's browser send: any with an Origin, and over TCP any whose Host is
// neither an address, localhost nor a configured name. A page that rebinds its own
// name to this address (DNS rebinding) sends that name as Host.
func (a *api) requireKnownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, local := r.Context().Value(peerKey{}).(peer)

		if r.Header.Get("Origin") != "" || !local && !a.knowsHost(r.Host) {
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusMisdirectedRequest,
				Code:   "misdirected",
				Detail: "the control API does not answer to this name or to web pages",
				Remedy: "ask by its address or as localhost, without Origin",
			})
			return
		}

		next.ServeHTTP(w, r)
	})
}

// knowsHost tells whether a Host, with or without a port, is an address, localhost
// or a configured name.
func (a *api) knowsHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))

	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || slices.Contains(a.cfg.Hosts, host)
}
