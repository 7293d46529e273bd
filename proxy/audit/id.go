package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

const base32Digits = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID returns "r_" and 26 base32 characters: 48 bits of milliseconds and 80
// random bits, so that ids sort by time. It makes no system call (the runtime's
// ChaCha8 is seeded once); an id is a name, not a secret.
func NewID() string {
	ms := uint64(time.Now().UnixMilli())
	a, b := rand.Uint64(), rand.Uint64()
	var id [28]byte
	id[0], id[1] = 'r', '_'
	for i := 9; i >= 0; i-- {
		id[2+i] = base32Digits[ms&31]
		ms >>= 5
	}
	for i := range 8 {
		id[12+i] = base32Digits[a&31]
		id[20+i] = base32Digits[b&31]
		a >>= 5
		b >>= 5
	}
	return string(id[:])
}

// Fingerprint names a value without showing it: HMAC-SHA-256 under key, its
// first 16 bytes in hex. The same value under the same key has the same name.
func Fingerprint(key []byte, value string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(value))
	var sum [sha256.Size]byte
	m.Sum(sum[:0])
	return "hmac-sha256:" + hex.EncodeToString(sum[:16])
}
