package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// base32Digits are the digits of IDs, in the order of their values and of their
// characters (Crockford's alphabet in lower case).
const base32Digits = "0123456789abcdefghjkmnpqrstvwxyz"

const (
	idPrefix     = "r_"
	idTimeDigits = 10 // 48 bits of milliseconds
	idLength     = len(idPrefix) + 26
)

// NewID returns an ID for a record: "r_" and 26 base32 characters. They hold the
// time in milliseconds and 80 random bits, so that IDs sort by time.
//
// NewID makes no system call, because the runtime seeds its generator once. An
// ID is a name and not a secret.
func NewID() string {
	ms := uint64(time.Now().UnixMilli())
	a, b := rand.Uint64(), rand.Uint64()

	var id [idLength]byte
	copy(id[:], idPrefix)
	for i := idTimeDigits - 1; i >= 0; i-- {
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

// parseIDTime returns the time at which NewID made an ID. It returns false if
// the ID is not one of NewID.
func parseIDTime(id string) (time.Time, bool) {
	if len(id) != idLength || !strings.HasPrefix(id, idPrefix) {
		return time.Time{}, false
	}

	ms := int64(0)
	for _, b := range []byte(id[2 : 2+idTimeDigits]) {
		value := strings.IndexByte(base32Digits, b)
		if value < 0 {
			return time.Time{}, false
		}
		ms = ms<<5 | int64(value)
	}

	return time.UnixMilli(ms), true
}

// Fingerprint names a value without showing it: the first 16 bytes, in hex, of
// its HMAC-SHA-256 under key. Equal values have equal fingerprints under one
// key.
func Fingerprint(key []byte, value string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])

	return "hmac-sha256:" + hex.EncodeToString(sum[:16])
}
