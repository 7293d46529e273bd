package audit

import (
	"errors"
	"fmt"
)

// Export writes the log in dir to the folder out as C2SP tlog-tiles: checkpoint,
// hash tiles, and entry bundles with the records themselves. Any server of
// files can serve it. It goes on where an earlier export to the same folder
// ended, works beside a running server, and reaches to the published checkpoint
// (without one: to the last in the log). It returns what that checkpoint says;
// nobody has checked its signature.
func Export(dir, out string, progress func(done, total int64)) (Checkpoint, error) {
	t, err := OpenTiler(dir, out, true)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
	}
	var upto *Position
	if _, c, err := TilesOf(dir).Checkpoint(); err == nil {
		at := Tiler{log: dir}
		if err := at.position(c.Size + 1); err != nil {
			return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
		}
		upto = &Position{at.segment, at.off, c.Size + 1}
	}
	if err := t.Advance(upto, heard(progress)); err != nil {
		return Checkpoint{}, fmt.Errorf("audit: export: %w", err)
	}
	_, c, err := t.files.Checkpoint()
	if err != nil {
		return c, fmt.Errorf("audit: export: %w", errors.Join(ErrNotSealed, err))
	}
	return c, nil
}
