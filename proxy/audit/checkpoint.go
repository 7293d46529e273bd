package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// Checkpoint is what a signed note of the log says: a C2SP tlog-checkpoint with
// two extension lines. They hold the hash of the last line, and the hash of the
// record that carries the note, so that the signature also covers the time and
// the code of that record.
//
// An auditor who keeps a checkpoint can later tell that nothing before it was
// cut or changed; see [VerifyOptions].
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`   // lines that it covers; the record that carries it has this Seq
	Root   string `json:"root"`   // RFC 6962 Merkle root of those lines in base64
	Head   string `json:"head"`   // leaf hash of the last of those lines in hex; zeros if there is none
	Record string `json:"record"` // SHA-256, in hex, of the carrying record's line without its checkpoint member
}

const (
	chainPrefix  = "chain sha256:"
	recordPrefix = "record sha256:"
)

// Text returns the text that the log signs, five lines.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" +
		strconv.FormatUint(c.Size, 10) + "\n" +
		c.Root + "\n" +
		chainPrefix + c.Head + "\n" +
		recordPrefix + c.Record + "\n"
}

// Origin returns the name under which the log of an instance signs. It replaces
// characters that a key name must not contain.
func Origin(instance string) string {
	return "byline/" + strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '+' {
			return r
		}
		return '-'
	}, instance)
}

// ParseCheckpoint reads a signed note and checks its signature under pub. The
// note's origin must be the name of the key, if the key has one. ParseCheckpoint
// does not check the signatures of others.
func ParseCheckpoint(signed string, pub PublicKey) (Checkpoint, error) {
	origin, _, _ := strings.Cut(signed, "\n")
	if pub.Name != "" && origin != pub.Name {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin is %q, the key belongs to %q", origin, pub.Name)
	}

	vkey, err := note.NewEd25519VerifierKey(origin, pub.Key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", err)
	}

	if err := checkSignatureEncoding(signed); err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: signature: %w", err)
	}

	return parseCheckpointText(n.Text)
}

// parseUnverified reads a signed note and checks no signature.
func parseUnverified(signed string) (Checkpoint, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("checkpoint: not a signed note")
	}

	return parseCheckpointText(text + "\n")
}

// checkSignatureEncoding refuses signatures in a base64 that an encoder does not
// produce. The last character of base64 has bits that decoders ignore (RFC 4648,
// section 3.5), and package note ignores them. Without this check, a byte of a
// checkpoint record could be changed unnoticed.
func checkSignatureEncoding(signed string) error {
	_, signatures, _ := strings.Cut(signed, "\n\n")
	for line := range strings.Lines(signatures) {
		line = strings.TrimSuffix(line, "\n")
		text := line[strings.LastIndexByte(line, ' ')+1:]
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
			return errors.New("checkpoint: the base64 of a signature is not canonical")
		}
	}

	return nil
}

// parseCheckpointText is the inverse of [Checkpoint.Text]. It accepts no other
// spelling.
func parseCheckpointText(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[5] != "" {
		return c, errors.New("checkpoint: not five lines")
	}

	c.Origin = lines[0]
	c.Size, err = strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return c, errors.New("checkpoint: the size is not a number")
	}
	c.Root = lines[2]
	if _, err := merkle.ParseBase64(c.Root); err != nil {
		return c, fmt.Errorf("checkpoint: root: %w", err)
	}
	c.Head, _ = strings.CutPrefix(lines[3], chainPrefix)
	if _, err := merkle.ParseHex(c.Head); err != nil {
		return c, fmt.Errorf("checkpoint: chain: %w", err)
	}
	c.Record, _ = strings.CutPrefix(lines[4], recordPrefix)
	if _, err := merkle.ParseHex(c.Record); err != nil {
		return c, fmt.Errorf("checkpoint: record: %w", err)
	}

	if c.Text() != text {
		return c, errors.New("checkpoint: not in the one form that the log writes")
	}

	return c, nil
}

// CheckpointRecordHash returns the hash that the note of a checkpoint record
// signs: of the record's line without its checkpoint member. seq, prev and us
// are those of the record.
func CheckpointRecordHash(r Record, seq uint64, prev merkle.Hash, us int64) merkle.Hash {
	r.Checkpoint = ""

	return sha256.Sum256(AppendLine(nil, seq, 0, prev, us, AppendBody(nil, &r)))
}

// SplitNote splits a signed note into its text, with the last newline, and its
// signature lines. It returns false if signed is not a signed note.
func SplitNote(signed string) (text, signatures string, ok bool) {
	i := strings.LastIndex(signed, "\n\n")
	if i < 0 {
		return "", "", false
	}

	return signed[:i+1], signed[i+2:], true
}
