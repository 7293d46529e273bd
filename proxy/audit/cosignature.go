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
	// algCosignatureEd25519 is the key type of timestamped Ed25519 signatures in
	// C2SP tlog-cosignature.
	algCosignatureEd25519 = 4

	// SignaturePrefix begins each signature line of a note (C2SP signed-note).
	SignaturePrefix = "— "
)

// Cosignature says that a witness saw a checkpoint at a time, and until then had
// seen nothing that contradicts it.
type Cosignature struct {
	Witness string    `json:"witness"`
	Time    time.Time `json:"time"`
}

// WitnessKey is the public key of a witness that signs cosignature/v1 with
// Ed25519 (C2SP tlog-cosignature).
type WitnessKey struct {
	Name string
	Key  ed25519.PublicKey
}

// ParseWitnessKey reads the verifier key of a witness, NAME+HASH+BASE64 with key
// type 4.
func ParseWitnessKey(vkey string) (WitnessKey, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 || parts[0] == "" || strings.ContainsFunc(parts[0], unicode.IsSpace) {
		return WitnessKey{}, errors.New("not a witness's verifier key (NAME+HASH+BASE64)")
	}

	b, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != algCosignatureEd25519 {
		return WitnessKey{}, errors.New("not a witness's verifier key: only type 4, cosignature/v1 with Ed25519, is supported")
	}
	k := WitnessKey{parts[0], ed25519.PublicKey(b[1:])}
	if parts[1] != hex.EncodeToString(k.KeyHash()) {
		return WitnessKey{}, errors.New("not a witness's verifier key: its hash does not match name and key")
	}

	return k, nil
}

// String returns the key in the form that ParseWitnessKey reads.
func (k WitnessKey) String() string {
	typed := append([]byte{algCosignatureEd25519}, k.Key...)

	return k.Name + "+" + hex.EncodeToString(k.KeyHash()) + "+" + base64.StdEncoding.EncodeToString(typed)
}

// KeyHash returns the four bytes that name the key in a signature line (C2SP
// signed-note).
func (k WitnessKey) KeyHash() []byte {
	sum := sha256.Sum256(append([]byte(k.Name+"\n\x04"), k.Key...))

	return sum[:4]
}

// Verify finds the witness's signature on a signed note and checks it.
func (k WitnessKey) Verify(signed string) (Cosignature, error) {
	text, signatures, ok := SplitNote(signed)
	if !ok {
		return Cosignature{}, errors.New("not a signed note")
	}

	_, c, err := k.FindSignature(text, signatures)

	return c, err
}

// maxCosignatureTime bounds the time of a cosignature in seconds since 1970, so
// that it can be written as a date.
const maxCosignatureTime = 1 << 40

// FindSignature finds the witness's signature on a note's text among signature
// lines and checks it. It returns the line as it stands there. It ignores the
// lines of others.
func (k WitnessKey) FindSignature(text, signatures string) (line string, c Cosignature, err error) {
	for line := range strings.Lines(signatures) {
		rest, ours := strings.CutPrefix(line, SignaturePrefix+k.Name+" ")
		encoded, whole := strings.CutSuffix(rest, "\n")
		if !ours || !whole {
			continue
		}

		// C2SP tlog-cosignature: key hash, time, signature.
		b, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || len(b) != 4+8+ed25519.SignatureSize || string(b[:4]) != string(k.KeyHash()) {
			continue
		}
		at := binary.BigEndian.Uint64(b[4:12])
		message := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text)
		if at > maxCosignatureTime || !ed25519.Verify(k.Key, message, b[12:]) {
			return "", c, fmt.Errorf("the signature of witness %s is wrong", k.Name)
		}

		return line, Cosignature{k.Name, time.Unix(int64(at), 0).UTC()}, nil
	}

	return "", c, fmt.Errorf("witness %s has not signed", k.Name)
}
