package audit

import (
	"errors"
	"fmt"
)

// keptCheckpoint is a checkpoint that the log is compared with. It says
// something about the log only if one of the log's keys signed it.
type keptCheckpoint struct {
	signed     string
	checkpoint Checkpoint
	reached    bool // the verification has reached the record with this checkpoint
	fromCaller bool // given in VerifyOptions; if no key of the log signed it, that is an error
}

// describe names the checkpoint in a Fault.
func (k *keptCheckpoint) describe() string {
	if k.fromCaller {
		return "the kept checkpoint"
	}

	return "the published checkpoint"
}

// readKept collects the caller's checkpoints and the published ones. It runs
// before the segments are read, so that what the published ones cover was
// durable by then.
func (v *verification) readKept(dir string) error {
	for _, signed := range v.options.Kept {
		c, err := parseUnverified(signed)
		if err != nil {
			return fmt.Errorf("kept %w", err)
		}
		v.kept = append(v.kept, &keptCheckpoint{signed: signed, checkpoint: c, fromCaller: true})
	}

	tiles := TilesOf(dir)
	if signed, c, err := tiles.Checkpoint(); err == nil {
		v.kept = append(v.kept, &keptCheckpoint{signed: signed, checkpoint: c})
	}

	signed, c, err := tiles.WitnessedCheckpoint()
	if err != nil {
		return nil // nothing is published; that is no error
	}
	v.kept = append(v.kept, &keptCheckpoint{signed: signed, checkpoint: c})
	v.Published = c.Size
	for _, w := range v.options.Witnesses {
		if cosignature, err := w.Verify(signed); err == nil {
			v.Cosigned = append(v.Cosigned, cosignature)
		}
	}

	return nil
}

// checkCosigned checks that the note in a cosigned record is an earlier
// checkpoint of this log.
func (v *verification) checkCosigned(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	c, err := parseUnverified(r.Checkpoint)
	if err != nil {
		return err
	}

	signed, _ := v.signedByLog(&keptCheckpoint{signed: r.Checkpoint, checkpoint: c})
	if !signed || c.Size >= p.seq {
		return errors.New("cosigned: not a checkpoint of this log")
	}

	return nil
}

// compareWithKept compares a line with the kept checkpoints of its place. The
// line must be the record that carried them.
func (v *verification) compareWithKept(p *parsedLine) error {
	for _, k := range v.kept {
		if k.checkpoint.Size != p.seq || k.reached {
			continue
		}
		k.reached = true

		if p.isCheckpoint() {
			last := v.chain.LastCheckpoint
			if last.Root == k.checkpoint.Root && last.Head == k.checkpoint.Head && last.Origin == k.checkpoint.Origin {
				continue
			}
		}

		signed, err := v.signedByLog(k)
		if !signed {
			v.ignoreCosignatures(k)
			v.unsignedErr = errors.Join(v.unsignedErr, err)
			continue
		}
		return fmt.Errorf("the first %d records are not those that %s covers", k.checkpoint.Size, k.describe())
	}

	return nil
}

// checkKeptReached looks for kept checkpoints of records that the log does not
// have.
func (v *verification) checkKeptReached(dir string) error {
	for _, k := range v.kept {
		if k.reached {
			continue
		}

		signed, err := v.signedByLog(k)
		if signed {
			v.Bad = &Fault{File: dir, Seq: v.chain.Seq,
				Why: fmt.Sprintf("the log ends after %d records, %s is record %d: "+
					"the tail was cut, or the log was restored from an older copy",
					v.chain.Seq, k.describe(), k.checkpoint.Size)}
			return nil
		}
		v.ignoreCosignatures(k)
		if err != nil {
			return err
		}
	}

	return v.unsignedErr
}

// signedByLog reports whether one of the log's keys signed k. The error is set
// if none did and the caller gave k. A file next to the log that no key of the
// log signed proves nothing.
func (v *verification) signedByLog(k *keptCheckpoint) (bool, error) {
	var err error
	for _, key := range append([]PublicKey{v.firstKey}, v.chain.LaterKeys...) {
		_, err = ParseCheckpoint(k.signed, key)
		if err == nil {
			return true, nil
		}
	}

	if !k.fromCaller {
		return false, nil
	}

	return false, fmt.Errorf("kept checkpoint is not from this log: %w", err)
}

// ignoreCosignatures drops the cosignatures of a published checkpoint that no
// key of the log signed.
func (v *verification) ignoreCosignatures(k *keptCheckpoint) {
	if k.checkpoint.Size == v.Published {
		v.Published = 0
		v.Cosigned = nil
	}
}
