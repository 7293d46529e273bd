package journal

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/byline-proxy/byline/proxy/audit"
)

// detectRollback looks for a published or witnessed checkpoint that key signed and
// that the log, which holds that many records, no longer has: a checkpoint that
// covers n records is itself the record after them. Such a checkpoint shows that
// the log was restored from an older copy or that its end was cut.
//
// It returns the alert to put on record, or nil. Recording goes on, so it renames
// the checkpoint, to keep the evidence when the next one is published.
func detectRollback(tiles audit.Tiles, key audit.PublicKey, records uint64) (alert *audit.Record) {
	for _, name := range []string{audit.WitnessedFile, audit.CheckpointFile} {
		signed, _, err := tiles.ReadNote(name)
		if err != nil {
			continue
		}
		c, err := audit.ParseCheckpoint(signed, key)
		if err != nil || c.Size < records {
			continue
		}

		path := filepath.Join(tiles.Dir, name)
		if err := os.Rename(path, fmt.Sprintf("%s.ahead-%d", path, c.Size)); err != nil {
			continue
		}
		alert = &audit.Record{
			Kind: "alert",
			Code: alertCode(errAhead),
			Detail: fmt.Sprintf("a checkpoint next to the log covers %d records, the log holds %d: the log was restored from an older copy, or its end was cut",
				c.Size, records),
		}
	}

	return alert
}
