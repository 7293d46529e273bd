package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const consistencyHeader = "byline-consistency@v1"

// ConsistencyProof shows that the log of one checkpoint continues the log of
// another: no line that the older one covers was changed or dropped.
type ConsistencyProof struct {
	Proof    []string // hashes in base64 (RFC 6962, section 2.1.2)
	Old, New string   // signed checkpoints
}

// Format returns the proof in its text form, which FORMAT.md specifies.
func (p *ConsistencyProof) Format() []byte {
	head := strings.Join(append([]string{consistencyHeader}, p.Proof...), "\n")

	return []byte(head + "\n\n" + p.Old + "\n" + p.New)
}

// ParseConsistencyProof reads the text form. It checks the form and no signature
// or hash.
func ParseConsistencyProof(text []byte) (*ConsistencyProof, error) {
	// Each checkpoint has an empty line between its text and its signatures.
	parts := strings.Split(string(text), "\n\n")
	head := strings.Split(parts[0], "\n")
	if len(text) > maxProofText || len(parts) != 5 || head[0] != consistencyHeader {
		return nil, errors.New("proof: not a " + consistencyHeader)
	}

	p := &ConsistencyProof{
		Proof: head[1:],
		Old:   parts[1] + "\n\n" + parts[2] + "\n",
		New:   parts[3] + "\n\n" + parts[4],
	}
	_, err := parseProofHashes(p.Proof)

	return p, err
}

// Verify checks everything that the proof holds. Without an error, the newer
// checkpoint continues the older one. Only the newer one needs the quorum of
// witnesses.
func (p *ConsistencyProof) Verify(t Trust) (VerifiedProof, error) {
	hashes, err := parseProofHashes(p.Proof)
	if err != nil {
		return VerifiedProof{}, err
	}
	older, _, err := Trust{Keys: t.Keys}.verifyCheckpoint(p.Old)
	if err != nil {
		return VerifiedProof{}, fmt.Errorf("old %w", err)
	}
	newer, cosigned, err := t.verifyCheckpoint(p.New)
	if err != nil {
		return VerifiedProof{}, err
	}

	if older.Origin != newer.Origin || older.Size > newer.Size {
		return VerifiedProof{}, errors.New("proof: the checkpoints are not of one log, or in the wrong order")
	}
	if !isConsistent(hashes, older, newer) {
		return VerifiedProof{}, errors.New("proof: the newer checkpoint does not continue the older one: the log was rewritten, or the proof was changed")
	}

	return VerifiedProof{Old: &older, Checkpoint: newer, Cosigned: cosigned}, nil
}

// isConsistent reports whether hashes prove that newer continues older. RFC 6962
// defines no proof for an empty or an equal tree; there the proof is empty.
func isConsistent(hashes []tlog.Hash, older, newer Checkpoint) bool {
	oldRoot, _ := merkle.ParseBase64(older.Root) // checkpoints that were parsed have valid roots
	newRoot, _ := merkle.ParseBase64(newer.Root)

	switch {
	case older.Size == 0:
		return oldRoot == sha256.Sum256(nil) && len(hashes) == 0
	case older.Size == newer.Size:
		return oldRoot == newRoot && len(hashes) == 0
	}

	err := tlog.CheckTree(hashes, int64(newer.Size), tlog.Hash(newRoot), int64(older.Size), tlog.Hash(oldRoot))

	return err == nil
}
