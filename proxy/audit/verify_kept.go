package audit

import (
	"errors"
	"fmt"
)

// keptNote is a checkpoint that a log is compared with. Only one that the log's
// key signed says anything about the log.
type keptNote struct {
	signed string
	c      Checkpoint
	seen   bool // the log has come to it
	given  bool // by the caller: one that is not the log's is an error
}

// keep takes the caller's checkpoints and the published one, which is read
// before the segments: what it covers was durable by then.
func (v *verification) keep(dir string, given []string) error {
	for _, signed := range given {
		c, err := unverified(signed)
		if err != nil {
			return fmt.Errorf("kept %w", err)
		}
		v.kept = append(v.kept, &keptNote{signed: signed, c: c, given: true})
	}
	files := TilesOf(dir)
	if signed, c, err := files.Checkpoint(); err == nil {
		v.kept = append(v.kept, &keptNote{signed: signed, c: c})
	}
	if signed, c, err := files.WitnessedCheckpoint(); err == nil {
		v.kept = append(v.kept, &keptNote{signed: signed, c: c})
		v.Published = c.Size
		for _, w := range v.o.Witnesses {
			if s, err := w.Verify(signed); err == nil {
				v.Cosigned = append(v.Cosigned, s)
			}
		}
	}
	return nil
}

// cosigned checks that a note which witnesses signed is a checkpoint of this log.
func (v *verification) cosigned(p *parsed) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	c, err := unverified(r.Checkpoint)
	if err != nil {
		return err
	}
	if signed, _ := v.own(&keptNote{signed: r.Checkpoint, c: c}); !signed || c.Size >= p.seq {
		return errors.New("cosigned: not a checkpoint of this log")
	}
	return nil
}

// compare holds a line against the checkpoints that were signed where it
// stands. The record that carried one must be there too.
func (v *verification) compare(p *parsed) error {
	for _, k := range v.kept {
		if k.c.Size != p.seq || k.seen {
			continue
		}
		k.seen = true
		if string(p.kind) == KindCheckpoint && v.chain.LastCheckpoint.Root == k.c.Root && v.chain.LastCheckpoint.Head == k.c.Head && v.chain.LastCheckpoint.Origin == k.c.Origin {
			continue
		}
		if signed, err := v.own(k); !signed {
			v.disown(k)
			v.notOurs = errors.Join(v.notOurs, err)
			continue
		}
		return fmt.Errorf("the first %d records are not those that %s covers", k.c.Size, k.name())
	}
	return nil
}

// missing looks for checkpoints that the log never came to.
func (v *verification) missing(dir string) error {
	for _, k := range v.kept {
		if k.seen {
			continue
		}
		signed, err := v.own(k)
		if signed {
			v.Bad = &Fault{File: dir, Seq: v.chain.Seq, Why: fmt.Sprintf("the log ends after %d records, %s is record %d: the tail was cut, "+
				"or the log was put back from an older copy", v.chain.Seq, k.name(), k.c.Size)}
			return nil
		}
		v.disown(k)
		if err != nil {
			return err
		}
	}
	return v.notOurs
}

// own tells whether one of the log's keys signed k. An error says that the
// caller gave one that none of them signed.
func (v *verification) own(k *keptNote) (bool, error) {
	var err error
	for _, key := range append([]PublicKey{v.given}, v.chain.LaterKeys...) {
		if _, err = ParseCheckpoint(k.signed, key); err == nil {
			return true, nil
		}
	}
	if !k.given {
		return false, nil // a file beside the log proves nothing against it
	}
	return false, fmt.Errorf("kept checkpoint is not this log's: %w", err)
}

// disown forgets the witnesses of a published checkpoint that is not the log's.
func (v *verification) disown(k *keptNote) {
	if k.c.Size == v.Published {
		v.Published, v.Cosigned = 0, nil
	}
}

func (k *keptNote) name() string {
	if k.given {
		return "the kept checkpoint"
	}
	return "the published checkpoint"
}
