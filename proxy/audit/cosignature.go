package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

const (
	cosigner        = 4 // C2SP tlog-cosignature: timestamped Ed25519
	SignaturePrefix = "— "
)

// WitnessKey is the public key of a witness: one that signs cosignature/v1
// (C2SP tlog-cosignature).
type WitnessKey struct {
	Name string
	Key  ed25519.PublicKey
}

// ParseWitnessKey reads name+hash+base64 with key type 4.
func ParseWitnessKey(vkey string) (WitnessKey, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 || parts[0] == "" || strings.ContainsFunc(parts[0], unicode.IsSpace) {
		return WitnessKey{}, errors.New("not a witness's verifier key (name+hash+base64)")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != cosigner {
		return WitnessKey{}, errors.New("not a witness's verifier key: not of type 4, cosignature/v1 with Ed25519, the only one that is known here")
	}
	k := WitnessKey{parts[0], ed25519.PublicKey(b[1:])}
	if parts[1] != hex.EncodeToString(k.KeyHash()) {
		return WitnessKey{}, errors.New("not a witness's verifier key: its hash is not that of name and key")
	}
	return k, nil
}

// String is the key in the verifier format.
func (k WitnessKey) String() string {
	return k.Name + "+" + hex.EncodeToString(k.KeyHash()) + "+" + base64.StdEncoding.EncodeToString(append([]byte{cosigner}, k.Key...))
}

func (k WitnessKey) KeyHash() []byte {
	sum := sha256.Sum256(append([]byte(k.Name+"\n\x04"), k.Key...))
	return sum[:4]
}

// Verify finds the witness's signature on a note and checks it.
func (k WitnessKey) Verify(signed string) (Cosignature, error) {
	text, sigs, ok := SplitNote(signed)
	if !ok {
		return Cosignature{}, errors.New("not a signed note")
	}
	_, c, err := k.FindSignature(text, sigs)
	return c, err
}

// FindSignature looks among signature lines for the witness's on a note's text. Lines of
// others are passed over.
func (k WitnessKey) FindSignature(text, sigs string) (line string, c Cosignature, err error) {
	for line := range strings.Lines(sigs) {
		rest, ok := strings.CutPrefix(line, SignaturePrefix+k.Name+" ")
		sig, whole := strings.CutSuffix(rest, "\n")
		if !ok || !whole {
			continue
		}
		b, err := base64.StdEncoding.Strict().DecodeString(sig)
		if err != nil || len(b) != 4+8+ed25519.SignatureSize || string(b[:4]) != string(k.KeyHash()) {
			continue
		}
		at := binary.BigEndian.Uint64(b[4:12])
		if at > 1<<40 || !ed25519.Verify(k.Key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), b[12:]) {
			return "", c, fmt.Errorf("the signature of witness %s is wrong", k.Name)
		}
		return line, Cosignature{k.Name, time.Unix(int64(at), 0).UTC()}, nil
	}
	return "", c, fmt.Errorf("witness %s has not signed", k.Name)
}

// SplitNote parts a note's text, with its last newline, from its signature lines.
func SplitNote(signed string) (text, sigs string, ok bool) {
	i := strings.LastIndex(signed, "\n\n")
	if i < 0 {
		return "", "", false
	}
	return signed[:i+1], signed[i+2:], true
}
