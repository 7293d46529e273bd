package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Token admits to the control API over TCP. It prints REDACTED. The zero value
// admits nobody.
type Token struct{ text string }

// Format prints REDACTED under every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// MarshalText keeps the token out of JSON and logs.
func (Token) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// Reveal is the token itself, for an Authorization header.
func (t Token) Reveal() string { return t.text }

// ReadToken reads the token file, which only its owner may read.
func ReadToken(path string) (Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return Token{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Token{}, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return Token{}, fmt.Errorf("%s may be read by others (mode %04o); chmod 600 it", path, st.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Token{}, err
	}
	text := strings.TrimSpace(string(b))
	if len(text) < 32 {
		return Token{}, fmt.Errorf("%s holds no token of 32 characters or more; remove it and start the server", path)
	}
	return Token{text}, nil
}

// MakeToken reads the token file, or writes one with a new token of 256 random
// bits and mode 0600 when there is none.
func MakeToken(path string) (Token, error) {
	if t, err := ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Token{}, err
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	text := "bla_" + base64.RawURLEncoding.EncodeToString(b)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ReadToken(path)
	}
	if err != nil {
		return Token{}, err
	}
	_, err = f.WriteString(text + "\n")
	return Token{text}, errors.Join(err, f.Sync(), f.Close())
}

type peerKey struct{}

// peer is the uid at the other end of a Unix socket; err when the kernel did
// not tell.
type peer struct {
	uid uint32
	err error
}

// ConnContext notes the peer of a Unix connection; set it on the http.Server.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	var p peer
	raw, err := u.SyscallConn()
	if err != nil {
		p.err = err
	} else {
		var cred *unix.Ucred
		p.err = raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
		if p.err = errors.Join(p.err, err); p.err == nil {
			p.uid = cred.Uid
		}
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// private admits root and the server's own uid on the Unix socket, and the
// bearer of the token elsewhere.
func (a *api) private(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := r.Context().Value(peerKey{}).(peer); ok {
			if p.err != nil || p.uid != 0 && p.uid != uint32(os.Getuid()) {
				a.answer(w, 0, nil, &Problem{http.StatusForbidden, "forbidden", "this user may not control the server", "ask as root or as the user the server runs as, or use TCP with the token"})
				return
			}
		} else if !a.bears(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="byline control"`)
			a.answer(w, 0, nil, &Problem{http.StatusUnauthorized, "auth_required", "the control token is missing or wrong", "send Authorization: Bearer with the content of the token file"})
			return
		}
		next(w, r)
	})
}

func (a *api) bears(r *http.Request) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if a.cfg.Token.text == "" || !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return false
	}
	x, y := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(a.cfg.Token.text))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// sameHost refuses over TCP a Host that is neither loopback, an address, nor
// configured: a page whose name was rebound to this address carries its own name.
func (a *api) sameHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, local := r.Context().Value(peerKey{}).(peer)
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		_, notAddr := netip.ParseAddr(host)
		if !local && notAddr != nil && host != "localhost" && !slices.Contains(a.cfg.Hosts, host) || r.Header.Get("Origin") != "" {
			a.answer(w, 0, nil, &Problem{http.StatusMisdirectedRequest, "misdirected", "the control API does not answer to this name or to web pages", "ask by its address or as localhost, without Origin"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
