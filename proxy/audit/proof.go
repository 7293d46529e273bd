package audit

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const (
	maxProofText   = 1 << 20 // bytes of a proof in its text form
	maxProofHashes = 64      // a tree of 64-bit size needs no more
)

// Trust says whose signatures on a proof count.
type Trust struct {
	// Keys are keys of the log. One of them must have signed. A log that changed
	// its key has several; see FORMAT.md.
	Keys []PublicKey

	// At least Quorum of the Witnesses must have signed.
	Witnesses []WitnessKey
	Quorum    int
}

// VerifiedProof is what a valid proof shows.
type VerifiedProof struct {
	Record     *Record       `json:"record,omitempty"`   // of an inclusion proof
	Old        *Checkpoint   `json:"old,omitempty"`      // of a consistency proof: the older checkpoint
	Checkpoint Checkpoint    `json:"checkpoint"`         // of a consistency proof: the newer one
	Cosigned   []Cosignature `json:"cosigned,omitempty"` // by the witnesses in Trust
}

// VerifyProof checks the text form of an inclusion or a consistency proof.
func VerifyProof(text []byte, t Trust) (VerifiedProof, error) {
	if strings.HasPrefix(string(text), consistencyHeader+"\n") {
		p, err := ParseConsistencyProof(text)
		if err != nil {
			return VerifiedProof{}, err
		}
		return p.Verify(t)
	}

	p, err := ParseInclusionProof(text)
	if err != nil {
		return VerifiedProof{}, err
	}

	return p.Verify(t)
}

// verifyCheckpoint checks the signatures of a checkpoint: that of one of the
// log's keys, and those of the quorum of witnesses.
func (t Trust) verifyCheckpoint(signed string) (c Checkpoint, cosigned []Cosignature, err error) {
	err = errors.New("checkpoint: no key to check it with")
	for _, k := range t.Keys {
		c, err = ParseCheckpoint(signed, k)
		if err == nil {
			break
		}
	}
	if err != nil {
		return c, nil, err
	}

	for _, w := range t.Witnesses {
		cosignature, err := w.Verify(signed)
		if err == nil {
			cosigned = append(cosigned, cosignature)
		}
	}
	if len(cosigned) < t.Quorum {
		return c, cosigned, fmt.Errorf("checkpoint: %d of the witnesses signed it, %d are needed", len(cosigned), t.Quorum)
	}

	return c, cosigned, nil
}

// parseProofHashes reads the hashes of a proof, in base64.
func parseProofHashes(lines []string) (hashes []tlog.Hash, err error) {
	if len(lines) > maxProofHashes {
		return nil, errors.New("proof: too many hashes")
	}

	for _, line := range lines {
		h, err := merkle.ParseBase64(line)
		if err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
		hashes = append(hashes, tlog.Hash(h))
	}

	return hashes, nil
}

// formatProofHashes is the inverse of parseProofHashes.
func formatProofHashes(hashes []tlog.Hash) (lines []string) {
	for _, h := range hashes {
		lines = append(lines, h.String())
	}

	return lines
}
