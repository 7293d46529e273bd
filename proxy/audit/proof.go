package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofHeader       = "c2sp.org/tlog-proof@v1"
	consistencyHeader = "byline-consistency@v1"
	maxBundle         = 1 << 20
	maxProof          = 64 // hashes
)

// InclusionProof shows that a record is in a log: it is a C2SP tlog-proof whose extra
// data is the record's line, so that public tools check it, too.
type InclusionProof struct {
	Index uint64 // the record's seq
	Line  []byte
	Proof []string // base64, from the leaf up
	Note  string   // the signed checkpoint, with what witnesses signed
}

// VerifiedProof is what a bundle was found to show.
type VerifiedProof struct {
	Record     *Record       `json:"record,omitempty"` // of an inclusion proof
	Old        *Checkpoint   `json:"old,omitempty"`    // of a consistency proof: what the checkpoint goes on from
	Checkpoint Checkpoint    `json:"checkpoint"`
	Cosigned   []Cosignature `json:"cosigned,omitempty"` // by the witnesses that were asked for
}

// Trust says whose signatures count. Zero or more witnesses of Witnesses must
// have signed, as Quorum says.
type Trust struct {
	Keys      []PublicKey // of the log: one that signed, or before it was changed, see FORMAT.md
	Witnesses []WitnessKey
	Quorum    int
}

// Format writes the bundle.
func (b *InclusionProof) Format() []byte {
	var s strings.Builder
	fmt.Fprintf(&s, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(b.Line), b.Index)
	for _, h := range b.Proof {
		s.WriteString(h + "\n")
	}
	s.WriteString("\n" + b.Note)
	return []byte(s.String())
}

// ParseInclusionProof reads an inclusion proof. Only its form is checked.
func ParseInclusionProof(text []byte) (*InclusionProof, error) {
	head, signed, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(text) > maxBundle || len(lines) < 3 || lines[0] != proofHeader {
		return nil, errors.New("bundle: not a " + proofHeader + " with extra data")
	}
	b := &InclusionProof{Proof: lines[3:], Note: signed}
	extra, ok := strings.CutPrefix(lines[1], "extra ")
	index, ok2 := strings.CutPrefix(lines[2], "index ")
	var err error
	if b.Line, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil || !ok {
		return nil, errors.New("bundle: its second line is not extra data")
	}
	if b.Index, err = strconv.ParseUint(index, 10, 63); err != nil || !ok2 || strconv.FormatUint(b.Index, 10) != index {
		return nil, errors.New("bundle: its third line is not an index")
	}
	_, err = parseProof(b.Proof)
	return b, err
}

func parseProof(lines []string) (p []tlog.Hash, err error) {
	if len(lines) > maxProof {
		return nil, errors.New("bundle: too many hashes")
	}
	for _, l := range lines {
		h, err := merkle.ParseBase64(l)
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		p = append(p, tlog.Hash(h))
	}
	return p, nil
}

// Verify checks everything that the bundle holds. A nil error proves that the
// record is in the log, as one of the lines that the checkpoint covers.
func (b *InclusionProof) Verify(t Trust) (VerifiedProof, error) {
	proof, err := parseProof(b.Proof)
	if err != nil {
		return VerifiedProof{}, err
	}
	c, cosigned, err := t.open(b.Note)
	if err != nil {
		return VerifiedProof{}, err
	}
	r, err := ParseRecord(b.Line)
	switch {
	case err != nil:
		return VerifiedProof{}, fmt.Errorf("bundle: %w", err)
	case r.Seq != b.Index:
		return VerifiedProof{}, fmt.Errorf("bundle: the record's seq is %d, its index %d", r.Seq, b.Index)
	case b.Index >= c.Size:
		return VerifiedProof{}, fmt.Errorf("bundle: the checkpoint covers %d lines, the record is number %d", c.Size, b.Index)
	}
	root, _ := merkle.ParseBase64(c.Root)
	leaf := merkle.LeafHash(append([]byte{0}, b.Line...))
	if err := tlog.CheckRecord(proof, int64(c.Size), tlog.Hash(root), int64(b.Index), tlog.Hash(leaf)); err != nil {
		return VerifiedProof{}, errors.New("bundle: the record is not the one that the log holds, or the proof was changed")
	}
	return VerifiedProof{Record: &r, Checkpoint: c, Cosigned: cosigned}, nil
}

// ConsistencyProof shows that one checkpoint's log goes on from another's: nothing
// of it was changed or dropped.
type ConsistencyProof struct {
	Proof    []string // base64, RFC 6962 section 2.1.2
	Old, New string   // signed checkpoints
}

// Format writes the proof.
func (b *ConsistencyProof) Format() []byte {
	head := strings.Join(append([]string{consistencyHeader}, b.Proof...), "\n")
	return []byte(head + "\n\n" + b.Old + "\n" + b.New)
}

// ParseConsistencyProof reads one. Only its form is checked.
func ParseConsistencyProof(text []byte) (*ConsistencyProof, error) {
	parts := strings.Split(string(text), "\n\n")
	if len(text) > maxBundle || len(parts) != 5 {
		return nil, errors.New("bundle: not a " + consistencyHeader)
	}
	head := strings.Split(parts[0], "\n")
	if head[0] != consistencyHeader {
		return nil, errors.New("bundle: not a " + consistencyHeader)
	}
	b := &ConsistencyProof{Proof: head[1:], Old: parts[1] + "\n\n" + parts[2] + "\n", New: parts[3] + "\n\n" + parts[4]}
	_, err := parseProof(b.Proof)
	return b, err
}

// Verify checks everything; see Bundle.Verify. Witnesses need only have signed
// the newer checkpoint.
func (b *ConsistencyProof) Verify(t Trust) (VerifiedProof, error) {
	proof, err := parseProof(b.Proof)
	if err != nil {
		return VerifiedProof{}, err
	}
	older, _, err := Trust{Keys: t.Keys}.open(b.Old)
	if err != nil {
		return VerifiedProof{}, fmt.Errorf("old %w", err)
	}
	newer, cosigned, err := t.open(b.New)
	if err != nil {
		return VerifiedProof{}, err
	}
	if older.Origin != newer.Origin || older.Size > newer.Size {
		return VerifiedProof{}, errors.New("bundle: the checkpoints are not of one log, or in the wrong order")
	}
	from, _ := merkle.ParseBase64(older.Root)
	to, _ := merkle.ParseBase64(newer.Root)
	switch {
	case older.Size == 0:
		err = errIf(from != sha256.Sum256(nil) || len(proof) > 0)
	case older.Size == newer.Size:
		err = errIf(from != to || len(proof) > 0)
	default:
		err = tlog.CheckTree(proof, int64(newer.Size), tlog.Hash(to), int64(older.Size), tlog.Hash(from))
	}
	if err != nil {
		return VerifiedProof{}, errors.New("bundle: the newer checkpoint does not go on from the older one: the log was rewritten, or the proof was changed")
	}
	return VerifiedProof{Old: &older, Checkpoint: newer, Cosigned: cosigned}, nil
}

func errIf(bad bool) error {
	if bad {
		return ErrBroken
	}
	return nil
}

// open checks a checkpoint's signature under one of the keys, and the witnesses.
func (t Trust) open(signed string) (c Checkpoint, cosigned []Cosignature, err error) {
	err = errors.New("checkpoint: no key to check it with")
	for _, k := range t.Keys {
		if c, err = ParseCheckpoint(signed, k); err == nil {
			break
		}
	}
	if err != nil {
		return c, nil, err
	}
	for _, w := range t.Witnesses {
		if s, err := w.Verify(signed); err == nil {
			cosigned = append(cosigned, s)
		}
	}
	if len(cosigned) < t.Quorum {
		return c, cosigned, fmt.Errorf("checkpoint: %d of the witnesses signed it, %d are needed", len(cosigned), t.Quorum)
	}
	return c, cosigned, nil
}

// VerifyProof checks a proof of either kind.
func VerifyProof(text []byte, t Trust) (VerifiedProof, error) {
	if strings.HasPrefix(string(text), consistencyHeader+"\n") {
		b, err := ParseConsistencyProof(text)
		if err != nil {
			return VerifiedProof{}, err
		}
		return b.Verify(t)
	}
	b, err := ParseInclusionProof(text)
	if err != nil {
		return VerifiedProof{}, err
	}
	return b.Verify(t)
}

// Cosignature says that a witness saw the checkpoint, and nothing that
// contradicts it, at a time.
type Cosignature struct {
	Witness string    `json:"witness"`
	Time    time.Time `json:"time"`
}
