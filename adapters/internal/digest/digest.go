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

// Challenge is a challenge of RFC 7616 with the proof that answers it. Its fields are stored with the session.
type Challenge struct {
	Realm     string `json:"realm"`
	Nonce     string `json:"nonce"`
	Opaque    string `json:"opaque,omitempty"`
	Algorithm string `json:"algorithm"`     // as the SaaS wrote it; "" is MD5
	QOP       bool   `json:"qop,omitempty"` // auth; else as in RFC 2069
	User      string `json:"user"`
	Proof     string `json:"proof"` // H(A1)
	CNonce    string `json:"cnonce"`
	Count     uint32 `json:"count,omitempty"` // requests answered when it was stored

	count *atomic.Uint32
}

var hashes = map[string]func() hash.Hash{"MD5": md5.New, "SHA-256": sha256.New, "SHA-512-256": sha512.New512_256}

// Parse is nil for what is no Digest challenge or one that cannot be answered.
func Parse(field string) *Challenge {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(field), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	params := authParams(rest)
	c := &Challenge{Realm: params["realm"], Nonce: params["nonce"], Opaque: params["opaque"], Algorithm: params["algorithm"]}
	if c.Nonce == "" || c.hash() == nil || strings.EqualFold(params["userhash"], "true") {
		return nil
	}
	if qop, given := params["qop"]; given {
		for one := range strings.SplitSeq(qop, ",") {
			c.QOP = c.QOP || strings.EqualFold(strings.TrimSpace(one), "auth")
		}
		if !c.QOP {
			return nil // auth-int would need the body
		}
	}
	return c
}

// authParams reads name=value and name="value" pairs between commas, names in lower case (RFC 9110 section 11.2).
func authParams(text string) map[string]string {
	params := map[string]string{}
	for text = strings.TrimLeft(text, ", \t"); text != ""; text = strings.TrimLeft(text, ", \t") {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		var value strings.Builder
		if rest = strings.TrimLeft(rest, " \t"); strings.HasPrefix(rest, `"`) {
			i := 1
			for ; i < len(rest) && rest[i] != '"'; i++ {
				if rest[i] == '\\' && i+1 < len(rest) {
					i++
				}
				value.WriteByte(rest[i])
			}
			rest = rest[min(i+1, len(rest)):]
		} else {
			end := strings.IndexAny(rest, ", \t")
			if end < 0 {
				end = len(rest)
			}
			value.WriteString(rest[:end])
			rest = rest[end:]
		}
		params[strings.ToLower(strings.TrimSpace(name))] = value.String()
		text = rest
	}
	return params
}

// hash is nil for an algorithm that is not known.
func (c *Challenge) hash() func() hash.Hash {
	name := strings.TrimSuffix(strings.ToUpper(c.Algorithm), "-SESS")
	if name == "" {
		name = "MD5"
	}
	return hashes[name]
}

// Strength is the length of the hash in bytes.
func (c *Challenge) Strength() int { return c.hash()().Size() }

func (c *Challenge) sum(parts ...string) string {
	h := c.hash()()
	h.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h.Sum(nil))
}

// Prove computes H(A1), section 3.4.2, after which the password is not needed any more.
func (c *Challenge) Prove(user, password string) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	c.User, c.CNonce = user, hex.EncodeToString(random[:])
	c.Proof = c.sum(user, c.Realm, password)
	c.count = new(atomic.Uint32)
	if strings.HasSuffix(strings.ToUpper(c.Algorithm), "-SESS") {
		c.Proof = c.sum(c.Proof, c.Nonce, c.CNonce)
	}
}

// storedAhead is how far a stored digest count runs ahead, for requests that are not stored: a count must never be used
// twice, gaps are allowed (RFC 7616 section 3.4).
const storedAhead = 1 << 16

// ToStore is a copy of c to be stored with a session.
func (c *Challenge) ToStore() *Challenge {
	counted := *c
	counted.Count += counted.count.Load() + storedAhead
	return &counted
}

// Resume takes up a challenge that was stored; false: its algorithm is not known.
func (c *Challenge) Resume() bool {
	if c.hash() == nil {
		return false
	}
	c.count = new(atomic.Uint32)
	return true
}

// Answer is the Authorization value for one request, section 3.4. Safe for concurrent use; each call counts.
func (c *Challenge) Answer(method, target string) string {
	request := c.sum(method, target)
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s"`, c.User, quoted(c.Realm), quoted(c.Nonce), target)
	if c.QOP {
		nc := fmt.Sprintf("%08x", c.Count+c.count.Add(1))
		fmt.Fprintf(&b, `, response="%s", qop=auth, nc=%s, cnonce="%s"`, c.sum(c.Proof, c.Nonce, nc, c.CNonce, "auth", request), nc, c.CNonce)
	} else {
		fmt.Fprintf(&b, `, response="%s"`, c.sum(c.Proof, c.Nonce, request))
	}
	if c.Algorithm != "" {
		b.WriteString(", algorithm=" + c.Algorithm)
	}
	if c.Opaque != "" {
		b.WriteString(`, opaque="` + quoted(c.Opaque) + `"`)
	}
	return b.String()
}

func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s)
}
