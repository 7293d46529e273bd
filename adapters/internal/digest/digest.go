// Package digest answers challenges of HTTP digest authentication (RFC 7616).
package digest

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync/atomic"
)

// Challenge is a challenge of an application and the proof of the password that answers it. It is
// secret once it has the proof. Its exported fields are stored with the session. Parse and Resume make
// a Challenge ready for use.
type Challenge struct {
	Realm     string `json:"realm"`
	Nonce     string `json:"nonce"`
	Opaque    string `json:"opaque,omitempty"`
	Algorithm string `json:"algorithm"`     // as the application wrote it; "" is MD5
	QOP       bool   `json:"qop,omitempty"` // qop is auth; false: there is none, as in RFC 2069
	User      string `json:"user"`
	Proof     string `json:"proof"` // H(A1), section 3.4.2
	CNonce    string `json:"cnonce"`
	Count     uint32 `json:"count,omitempty"` // nonce counts that were used before Resume

	count *atomic.Uint32 // nonce counts that were used since
}

// hashes are the algorithms of section 6.1, without -sess.
var hashes = map[string]func() hash.Hash{
	"MD5":         md5.New,
	"SHA-256":     sha256.New,
	"SHA-512-256": sha512.New512_256,
}

// Parse parses the value of a WWW-Authenticate field. It returns nil for what is not a Digest
// challenge, and for one that cannot be answered. Call Prove before Answer.
func Parse(field string) *Challenge {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(field), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil
	}

	params := parseParams(rest)
	c := &Challenge{
		Realm:     params["realm"],
		Nonce:     params["nonce"],
		Opaque:    params["opaque"],
		Algorithm: params["algorithm"],
	}
	if c.Nonce == "" || c.newHash() == nil || strings.EqualFold(params["userhash"], "true") {
		return nil
	}

	if qop, given := params["qop"]; given {
		for option := range strings.SplitSeq(qop, ",") {
			c.QOP = c.QOP || strings.EqualFold(strings.TrimSpace(option), "auth")
		}
		if !c.QOP {
			return nil // auth-int needs the body
		}
	}
	return c
}

// newHash returns the hash of the algorithm, and nil if it is unknown.
func (c *Challenge) newHash() func() hash.Hash {
	name := strings.TrimSuffix(strings.ToUpper(c.Algorithm), "-SESS")
	if name == "" {
		name = "MD5"
	}
	return hashes[name]
}

// Strength returns the length of the hash in bytes.
func (c *Challenge) Strength() int { return c.newHash()().Size() }

// Prove computes the proof of a password, which is not needed after that.
func (c *Challenge) Prove(user, password string) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails

	c.User = user
	c.CNonce = hex.EncodeToString(random[:])
	c.Proof = c.hash(user, c.Realm, password)
	if strings.HasSuffix(strings.ToUpper(c.Algorithm), "-SESS") {
		c.Proof = c.hash(c.Proof, c.Nonce, c.CNonce)
	}
	c.count = new(atomic.Uint32)
}

// hash returns H(parts with colons between them) in hex.
func (c *Challenge) hash(parts ...string) string {
	h := c.newHash()()
	h.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h.Sum(nil))
}

// storedAhead is how many nonce counts a stored Challenge leaves to requests that follow its storing. A
// count must never be used twice, and counts may be left out (section 3.4).
const storedAhead = 1 << 16

// ToStore returns a copy of c to be stored with a session.
func (c *Challenge) ToStore() *Challenge {
	stored := *c
	stored.Count += stored.count.Load() + storedAhead
	return &stored
}

// Resume makes a stored Challenge ready for Answer. It returns false if the algorithm is unknown.
func (c *Challenge) Resume() bool {
	if c.newHash() == nil {
		return false
	}
	c.count = new(atomic.Uint32)
	return true
}

// Answer returns the value of the Authorization field for one request (section 3.4). target is the
// path with the query. Each call uses one nonce count. Answer is safe for concurrent use.
func (c *Challenge) Answer(method, target string) string {
	request := c.hash(method, target) // H(A2), section 3.4.3
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s"`, c.User, escapeQuoted(c.Realm), escapeQuoted(c.Nonce), target)

	if c.QOP {
		nc := fmt.Sprintf("%08x", c.Count+c.count.Add(1))
		response := c.hash(c.Proof, c.Nonce, nc, c.CNonce, "auth", request)
		fmt.Fprintf(&b, `, response="%s", qop=auth, nc=%s, cnonce="%s"`, response, nc, c.CNonce)
	} else {
		fmt.Fprintf(&b, `, response="%s"`, c.hash(c.Proof, c.Nonce, request))
	}

	if c.Algorithm != "" {
		b.WriteString(", algorithm=" + c.Algorithm)
	}
	if c.Opaque != "" {
		b.WriteString(`, opaque="` + escapeQuoted(c.Opaque) + `"`)
	}
	return b.String()
}
