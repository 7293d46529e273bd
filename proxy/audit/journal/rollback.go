package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// A checkpoint next to the log that the log does not hold shows that the log was
// restored from an older copy, or that its end was cut. It is evidence, and the
// next published checkpoint must not replace it. It has three names, one after
// the other:
//
//  1. checkpoint, or checkpoint.witnessed, as long as the log holds it.
//  2. NAME.ahead-SIZE-DIGEST, once Open has found that the log does not.
//  3. NAME.accepted-SIZE-DIGEST, once a rollback record names it.
//
// Verification compares the log with all three. A crash between a record and the
// second renaming leaves a checkpoint that has to be accepted again.

// Marks in the names of checkpoints that the log does not hold.
const (
	aheadMark    = ".ahead-"
	acceptedMark = ".accepted-"
)

// ErrRolledBack is in the error of [Log.RollbackErr].
var ErrRolledBack = errors.New("the record is broken: it was rolled back")

// keepLostCheckpoints renames the published and the witnessed checkpoint if the
// log, which holds that many records, does not hold them. It returns the alert to
// put on record, or nil.
func keepLostCheckpoints(log audit.Folders, tiles audit.Tiles, origin string, records uint64) (alert *audit.Record, err error) {
	for _, name := range []string{audit.WitnessedFile, audit.CheckpointFile} {
		signed, c, err := tiles.ReadNote(name)
		if err != nil || c.Origin != origin {
			continue // not a checkpoint of this log
		}
		lost, err := isLost(log, c, records)
		if err != nil {
			return nil, err
		}
		if !lost {
			continue
		}

		path := filepath.Join(tiles.Dir, name)
		if err := os.Rename(path, lostPath(path, signed, c)); err != nil {
			return nil, fmt.Errorf("keep the checkpoint that shows a rollback: %w", err)
		}
		if err := durable.SyncDir(tiles.Dir); err != nil {
			return nil, fmt.Errorf("keep the checkpoint that shows a rollback: %w", err)
		}
		alert = &audit.Record{
			Kind:   "alert",
			Code:   alertCode(errAhead),
			Detail: describeLost(c, records),
		}
	}

	return alert, nil
}

// keepLostCheckpoints looks for checkpoints next to the log that the log does not
// hold. It runs before anything publishes one.
func (l *Log) keepLostCheckpoints() error {
	tiles := audit.TilesOf(l.cfg.Dir)
	w := l.writer
	alert, err := keepLostCheckpoints(l.cfg.Folders(), tiles, w.origin, w.state.seq)
	if err != nil {
		return err
	}
	if alert != nil {
		l.appendAnyKind(alert)
		if err := withdrawAcceptances(tiles); err != nil {
			return err
		}
	}

	return l.findRollback(tiles)
}

// withdrawAcceptances makes earlier lost checkpoints wait for an operator again:
// the new rollback may have cut off the records that accepted them. If it has not,
// a second record of the same does no harm.
func withdrawAcceptances(tiles audit.Tiles) error {
	paths, err := filepath.Glob(filepath.Join(tiles.Dir, audit.CheckpointFile+"*"+acceptedMark+"*"))
	if err != nil {
		return err
	}

	for _, path := range paths {
		if err := os.Rename(path, strings.Replace(path, acceptedMark, aheadMark, 1)); err != nil {
			return err
		}
	}

	return durable.SyncDir(tiles.Dir)
}

// isLost reports whether the log does not hold the checkpoint c. A checkpoint that
// covers n records is itself the record after them.
func isLost(log audit.Folders, c audit.Checkpoint, records uint64) (bool, error) {
	if c.Size >= records {
		return true, nil
	}

	holds, err := log.Holds(c)
	if errors.Is(err, audit.ErrNoRecord) {
		return false, nil // its segment was moved away
	}

	return !holds, err
}

// lostPath is the name under which a lost checkpoint is kept. Two checkpoints never
// share one.
func lostPath(path, signed string, c audit.Checkpoint) string {
	digest := sha256.Sum256([]byte(signed))

	return fmt.Sprintf("%s%s%d-%x", path, aheadMark, c.Size, digest[:4])
}

func describeLost(c audit.Checkpoint, records uint64) string {
	return fmt.Sprintf("a checkpoint next to the log covers %d records, the log holds %d: the log was restored from an older copy, or its end was cut",
		c.Size, records)
}

// lostCheckpoints returns the paths of the lost checkpoints that nobody has
// accepted.
func lostCheckpoints(tiles audit.Tiles) ([]string, error) {
	return filepath.Glob(filepath.Join(tiles.Dir, audit.CheckpointFile+"*"+aheadMark+"*"))
}

// RollbackErr returns an error that wraps ErrRolledBack if a checkpoint next to
// the log shows that the log has lost records, and no operator has accepted that
// with [Log.AcceptRollback]. Records are recorded all the same.
func (l *Log) RollbackErr() error {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.rolledBack
}

// findRollback sets what RollbackErr returns.
func (l *Log) findRollback(tiles audit.Tiles) error {
	paths, err := lostCheckpoints(tiles)
	if err != nil {
		return err
	}

	var rolledBack error
	for _, path := range paths {
		_, c, err := tiles.ReadNote(filepath.Base(path))
		if err != nil {
			rolledBack = fmt.Errorf("%w: %s: %w", ErrRolledBack, path, err)
			continue
		}
		rolledBack = fmt.Errorf("%w: the checkpoint of %d records in %s is not in it; byline audit verify says more, and byline audit accept-rollback puts on record that this is known",
			ErrRolledBack, c.Size, path)
	}

	l.mu.Lock()
	l.rolledBack = rolledBack
	l.mu.Unlock()

	return nil
}

// acceptance asks the committer to put on record that an operator knows of the
// lost checkpoints.
type acceptance struct {
	by, why string
	done    chan accepted // capacity 1
}

type accepted struct {
	breaks []Accepted
	err    error
}

// Accepted is a lost checkpoint of which a rollback record says that it is known.
type Accepted struct {
	Record string           `json:"record"` // ID of the rollback record
	Lost   audit.Checkpoint `json:"lost"`
	Size   uint64           `json:"size"` // records that the log held when this was recorded
	Root   string           `json:"root"` // Merkle root of these
}

// AcceptRollback puts on record, for each lost checkpoint, that by knows that the
// log does not hold it any more, and why. A rollback record names the lost tree
// and the tree of the log; a checkpoint seals it at once. From then on
// verification reports the loss as accepted. It returns what was accepted, or
// nothing if nothing was lost.
func (l *Log) AcceptRollback(by, why string) ([]Accepted, error) {
	if strings.TrimSpace(by) == "" {
		return nil, errors.New("audit: accept rollback: who accepts it is missing")
	}

	a := &acceptance{by: by, why: why, done: make(chan accepted, 1)}
	select {
	case l.acceptances <- a:
		result := <-a.done
		return result.breaks, result.err
	case <-l.closing:
		return nil, fmt.Errorf("audit: accept rollback: %w", errClosed)
	}
}

// acceptRollback is AcceptRollback in the committer, which must repair the log
// after an error that fatal marks.
func (l *Log) acceptRollback(a *acceptance) (result accepted, fatal error) {
	tiles := audit.TilesOf(l.cfg.Dir)
	paths, err := lostCheckpoints(tiles)
	if err != nil {
		return accepted{err: err}, nil
	}

	for _, path := range paths {
		signed, lost, err := tiles.ReadNote(filepath.Base(path))
		if err != nil {
			return accepted{err: fmt.Errorf("audit: accept rollback: %w", err)}, nil
		}

		from := l.writer.state.seq
		r := &audit.Record{
			ID:         audit.NewID(),
			Kind:       audit.KindRollback,
			Sponsor:    a.by,
			Purpose:    a.why,
			Detail:     describeLost(lost, from),
			Checkpoint: signed,
		}
		root, err := l.writer.recordRollback(r)
		if err != nil {
			l.noteFailure(err)
			return accepted{err: fmt.Errorf("audit: accept rollback: %w: %w", ErrNotRecorded, err)}, err
		}
		l.noteOwnRecords(from)
		result.breaks = append(result.breaks, Accepted{Record: r.ID, Lost: lost, Size: from, Root: root})

		err = errors.Join(os.Rename(path, strings.Replace(path, aheadMark, acceptedMark, 1)), durable.SyncDir(tiles.Dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return accepted{err: fmt.Errorf("audit: accept rollback: %w", err)}, nil
		}
	}

	result.err = l.findRollback(tiles)

	return result, nil
}

// recordRollback makes a rollback record and a checkpoint over it durable. It
// fills r.Frontier, and returns the root of the lines before the record.
func (w *writer) recordRollback(r *audit.Record) (root string, err error) {
	st := w.state
	w.resetBuffer()
	if st.seq == 0 {
		return "", errors.New("the log holds no record yet")
	}

	root = st.tree.Root().Base64()
	r.Frontier = st.tree.Frontier()
	us := max(w.cfg.now().UnixMicro(), st.lastUS)
	w.appendOwnRecord(&st, us, r)

	checkpoint, err := w.newCheckpoint(&st, us, audit.CodeInterval, nil)
	if err != nil {
		return "", err
	}
	w.appendCheckpoint(&st, us, checkpoint)
	_, err = w.writeBuffer(&st)

	return root, err
}
