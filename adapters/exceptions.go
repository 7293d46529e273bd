package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Exception is something that an adapter allows an old application which is refused by default.
type Exception struct {
	Key     string `json:"key"`     // of the adapter, as in upstream.pin
	Because string `json:"because"` // the owner's reason
}

// Exceptions returns what the adapter allows its application, in the order of the keys.
func (a *Adapter) Exceptions() []Exception {
	var all []Exception
	add := func(key, because string) {
		if because != "" {
			all = append(all, Exception{key, because})
		}
	}
	add("paths.encoded", a.spec.Paths.Encoded.Because)
	add("upstream.pin", a.spec.Upstream.Pin.Because)
	add("upstream.renegotiate", a.spec.Upstream.Renegotiate.Because)
	return all
}

// Fingerprints returns the fingerprints of the pinned certificates. The error names none of them.
func (p *Pin) Fingerprints() ([][sha256.Size]byte, bool) {
	var all [][sha256.Size]byte
	for _, text := range p.Certificate {
		raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(raw) != sha256.Size {
			return nil, false
		}
		all = append(all, [sha256.Size]byte(raw))
	}
	return all, true
}
