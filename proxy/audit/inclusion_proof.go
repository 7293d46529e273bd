package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const inclusionHeader = "c2sp.org/tlog-proof@v1"

// InclusionProof shows that a record is in a log. Its text form is a C2SP
// tlog-proof with the record's line as extra data, so that public tools can
// check it too.
type InclusionProof struct {
	Index uint64   // the record's Seq
	Line  []byte   // the record's line without newline
	Proof []string // hashes in base64, from the leaf up
	Note  string   // the signed checkpoint, with the signatures of witnesses
}

// Format returns the proof in its text form.
func (p *InclusionProof) Format() []byte {
	var s strings.Builder
	fmt.Fprintf(&s, "%s\nextra %s\nindex %d\n", inclusionHeader, base64.StdEncoding.EncodeToString(p.Line), p.Index)
	for _, h := range p.Proof {
		s.WriteString(h + "\n")
	}
	s.WriteString("\n" + p.Note)

	return []byte(s.String())
}

// ParseInclusionProof reads the text form. It checks the form and no signature
// or hash.
func ParseInclusionProof(text []byte) (*InclusionProof, error) {
	head, signed, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(text) > maxProofText || len(lines) < 3 || lines[0] != inclusionHeader {
		return nil, errors.New("proof: not a " + inclusionHeader + " with extra data")
	}

	p := &InclusionProof{Proof: lines[3:], Note: signed}

	extra, ok := strings.CutPrefix(lines[1], "extra ")
	line, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil || !ok {
		return nil, errors.New("proof: the second line is not extra data")
	}
	p.Line = line

	index, ok := strings.CutPrefix(lines[2], "index ")
	p.Index, err = strconv.ParseUint(index, 10, 63)
	if err != nil || !ok || strconv.FormatUint(p.Index, 10) != index {
		return nil, errors.New("proof: the third line is not an index")
	}

	_, err = parseProofHashes(p.Proof)

	return p, err
}

// Verify checks everything that the proof holds. Without an error, the record is
// in the log, as one of the lines that the checkpoint covers.
func (p *InclusionProof) Verify(t Trust) (VerifiedProof, error) {
	hashes, err := parseProofHashes(p.Proof)
	if err != nil {
		return VerifiedProof{}, err
	}
	c, cosigned, err := t.verifyCheckpoint(p.Note)
	if err != nil {
		return VerifiedProof{}, err
	}
	r, err := ParseRecord(p.Line)
	switch {
	case err != nil:
		return VerifiedProof{}, fmt.Errorf("proof: %w", err)
	case r.Seq != p.Index:
		return VerifiedProof{}, fmt.Errorf("proof: the record's seq is %d, its index %d", r.Seq, p.Index)
	case p.Index >= c.Size:
		return VerifiedProof{}, fmt.Errorf("proof: the checkpoint covers %d lines, the record is number %d", c.Size, p.Index)
	}

	root, _ := merkle.ParseBase64(c.Root) // a checkpoint that was parsed has a valid root
	leaf := merkle.LeafHash(append([]byte{0}, p.Line...))
	err = tlog.CheckRecord(hashes, int64(c.Size), tlog.Hash(root), int64(p.Index), tlog.Hash(leaf))
	if err != nil {
		return VerifiedProof{}, errors.New("proof: the record is not the one that the log holds, or the proof was changed")
	}

	return VerifiedProof{Record: &r, Checkpoint: c, Cosigned: cosigned}, nil
}
