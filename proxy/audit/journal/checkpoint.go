package journal

import (
	"crypto/ed25519"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
)

// newCheckpoint returns a checkpoint record over all lines before st, whose time
// will be us. If newKey is not nil, the record has CodeKey instead of code,
// announces newKey, and is signed by both keys.
func (w *writer) newCheckpoint(st *state, us int64, code string, newKey *signer) (*audit.Record, error) {
	r := &audit.Record{
		ID:       audit.NewID(),
		Kind:     audit.KindCheckpoint,
		Instance: w.instance,
		Code:     code,
		Wall:     w.wallBefore(us),
		Frontier: st.tree.Frontier(),
	}
	signers := []note.Signer{w.signer}
	if newKey != nil {
		r.Code = audit.CodeKey
		r.Key = newKey.public().String()
		signers = append(signers, newKey)
	}

	// The signature also covers the record around it, so it is computed last.
	c := audit.Checkpoint{
		Origin: w.origin,
		Size:   st.seq,
		Root:   st.tree.Root().Base64(),
		Head:   st.head.Hex(),
		Record: audit.CheckpointRecordHash(*r, st.seq, st.head, us).Hex(),
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	r.Checkpoint = string(signed)

	return r, nil
}

// signer is a [note.Signer] with a key in memory.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

// newSigner returns a signer of checkpoints with that origin.
func newSigner(origin string, key ed25519.PrivateKey) (*signer, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}

	return &signer{v.Name(), v.KeyHash(), key}, nil
}

// public returns the public key, named as the signer.
func (s *signer) public() audit.PublicKey {
	return audit.PublicKey{Name: s.name, Key: s.key.Public().(ed25519.PublicKey)}
}

// Name, KeyHash and Sign implement [note.Signer].
func (s *signer) Name() string                    { return s.name }
func (s *signer) KeyHash() uint32                 { return s.hash }
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }
