package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Why a checkpoint was made; a checkpoint record's code.
const (
	sealInterval = "interval"
	sealSegment  = "segment" // first line of every segment but the first
	sealKey      = "key"     // first line of a segment, too: from here on another key signs
	sealClose    = "close"   // last line of a log that was closed
)

// Checkpoint is what a signed note of the log says: a C2SP tlog-checkpoint with
// two extension lines: the chain head, and the record that carries the note, so
// that its own time and code are signed too. An auditor who keeps one can later
// tell that nothing before it was cut or changed, see [VerifyOptions].
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`   // lines it covers; the record that carries it has this seq
	Root   string `json:"root"`   // RFC 6962 Merkle root of those lines, base64
	Head   string `json:"head"`   // leaf hash, hex, of the last of them; zeros when there is none
	Record string `json:"record"` // SHA-256, hex, of the record's line as it is without its checkpoint member
}

func (c Checkpoint) text() string {
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
	if _, err := parseHash(c.Root); err != nil {
		return c, fmt.Errorf("checkpoint: root: %w", err)
	}
	c.Head, _ = strings.CutPrefix(lines[3], "chain sha256:")
	c.Record, _ = strings.CutPrefix(lines[4], "record sha256:")
	for _, h := range []string{c.Head, c.Record} {
		if _, err := parseHead(h); err != nil {
			return c, fmt.Errorf("checkpoint: chain or record: %w", err)
		}
	}
	if c.text() != text {
		return c, errors.New("checkpoint: not in the one form that the log writes")
	}
	return c, nil
}

// seal makes the checkpoint record over everything before st. With another key
// it announces that one, and is signed by both.
func (w *writer) seal(st *state, us int64, code string, another *signer) (*Record, error) {
	r := &Record{ID: NewID(), Kind: KindCheckpoint, Instance: w.instance, Code: code, Frontier: st.tree.frontier()}
	signers := []note.Signer{w.signer}
	if another != nil {
		r.Code, r.Key = sealKey, another.public().String()
		signers = append(signers, another)
	}
	c := Checkpoint{Origin: w.origin, Size: st.seq, Root: st.tree.root().base64(), Head: st.head.hex(),
		Record: carrier(*r, st.seq, st.head, us).hex()}
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	r.Checkpoint = string(signed)
	return r, nil
}

// carrier is the hash of a checkpoint record without the note that it carries.
func carrier(r Record, seq uint64, prev hash, us int64) hash {
	r.Checkpoint = ""
	return lineHash(appendLine(nil, seq, 0, prev, us, appendBody(nil, &r)))
}
