package audit

import (
	"errors"
	"fmt"
)

// Export writes the log to the directory out as C2SP tlog-tiles:
// checkpoint, hash tiles, and entry bundles with the records. Any file server
// can serve it.
//
// Export continues where an earlier export to the same directory ended, and may
// run while the log is written. It reaches to the published checkpoint or, if
// there is none, to the last checkpoint in the log, and returns that checkpoint
// without checking its signature. The error is ErrNotSealed if there is no
// checkpoint. If progress is not nil it is called with the bytes read and the
// total.
func (f Folders) Export(out string, progress func(done, total int64)) (Checkpoint, error) {
	tiler, err := f.OpenTiler(out, true)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
	}
	upto, err := f.afterPublishedCheckpoint()
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
	}

	if err := tiler.Advance(upto, withoutError(progress)); err != nil {
		return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
	}

	_, c, err := tiler.tiles.Checkpoint()
	if err != nil {
		return c, fmt.Errorf("audit: export: %w", errors.Join(ErrNotSealed, err))
	}

	return c, nil
}

// afterPublishedCheckpoint returns the position after the record of the published
// checkpoint, or nil if none is published.
func (f Folders) afterPublishedCheckpoint() (*Position, error) {
	_, c, err := f.tiles().Checkpoint()
	if err != nil {
		return nil, nil
	}

	t := Tiler{log: f}
	found, err := t.seek(c)
	if err != nil || !found {
		return nil, err
	}
	record, err := f.readLine(c.Size)
	if err != nil {
		return nil, err
	}

	return &Position{t.segment, t.off + int64(len(record)) + 1, c.Size + 1}, nil
}
