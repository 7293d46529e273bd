package journal

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
)

// seal makes the checkpoint record over everything before st. With another key
// it announces that one, and is signed by both.
func (w *writer) seal(st *state, us int64, code string, another *signer) (*audit.Record, error) {
	r := &audit.Record{ID: audit.NewID(), Kind: audit.KindCheckpoint, Instance: w.instance, Code: code, Frontier: st.tree.Frontier()}
	signers := []note.Signer{w.signer}
	if another != nil {
		r.Code, r.Key = audit.CodeKey, another.public().String()
		signers = append(signers, another)
	}
	c := audit.Checkpoint{Origin: w.origin, Size: st.seq, Root: st.tree.Root().Base64(), Head: st.head.Hex(),
		Record: audit.CheckpointRecordHash(*r, st.seq, st.head, us).Hex()}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	r.Checkpoint = string(signed)
	return r, nil
}
