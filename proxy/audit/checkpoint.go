package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is what a signed note of the log says: a C2SP tlog-checkpoint with
// two extension lines: the chain head, and the record that carries the note, so
// that its own time and code are signed too. An auditor who keeps one can later
// tell that nothing before it was cut or changed, see [VerifyOptions].
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`   // lines it covers; the record that carries it has this seq
	Root   string `json:"root"`   // RFC 6962 Merkle root of those lines, base64
	Head   string `json:"head"`   // leaf merkle.Hash, hex, of the last of them; zeros when there is none
	Record string `json:"record"` // SHA-256, hex, of the record's line as it is without its checkpoint member
}

func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + c.Root + "\nchain sha256:" + c.Head + "\nrecord sha256:" + c.Record + "\n"
}

// Origin is the name under which an instance's log signs. Letters that a key
// name must not have are replaced.
func Origin(instance string) string {
	return "byline/" + strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '+' {
			return r
		}
		return '-'
	}, instance)
}

// ParseCheckpoint reads a signed note and checks its signature under pub. The
// note's origin must be the key's name, if it has one. No other signature is
// looked at.
func ParseCheckpoint(signed string, pub PublicKey) (Checkpoint, error) {
	origin, _, _ := strings.Cut(signed, "\n")
	if pub.Name != "" && origin != pub.Name {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin is %q, the key is that of %q", origin, pub.Name)
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub.Key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", err)
	}
	if err := oneForm(signed); err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: signature: %w", err)
	}
	return parseCheckpointText(n.Text)
}

// oneForm refuses signatures that are spelled otherwise than they were written:
// the last character of base64 has bits that decoders pass over (RFC 4648
// section 3.5), and a note's reader is one of them.
func oneForm(signed string) error {
	_, signatures, _ := strings.Cut(signed, "\n\n")
	for line := range strings.Lines(signatures) {
		line = strings.TrimSuffix(line, "\n")
		text := line[strings.LastIndexByte(line, ' ')+1:]
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
			return errors.New("checkpoint: a signature is not in the one form of its base64")
		}
	}
	return nil
}

func parseCheckpointText(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[5] != "" {
		return c, errors.New("checkpoint: not five lines")
	}
	c.Origin, c.Root = lines[0], lines[2]
	if c.Size, err = strconv.ParseUint(lines[1], 10, 64); err != nil {
		return c, errors.New("checkpoint: size is not a number")
	}
	if _, err := merkle.ParseBase64(c.Root); err != nil {
		return c, fmt.Errorf("checkpoint: root: %w", err)
	}
	c.Head, _ = strings.CutPrefix(lines[3], "chain sha256:")
	c.Record, _ = strings.CutPrefix(lines[4], "record sha256:")
	for _, h := range []string{c.Head, c.Record} {
		if _, err := merkle.ParseHex(h); err != nil {
			return c, fmt.Errorf("checkpoint: chain or record: %w", err)
		}
	}
	if c.Text() != text {
		return c, errors.New("checkpoint: not in the one form that the log writes")
	}
	return c, nil
}

// CheckpointRecordHash is the hash of a checkpoint record without the note that it carries.
func CheckpointRecordHash(r Record, seq uint64, prev merkle.Hash, us int64) merkle.Hash {
	r.Checkpoint = ""
	return lineHash(AppendLine(nil, seq, 0, prev, us, AppendBody(nil, &r)))
}
