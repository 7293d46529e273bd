package audit

import (
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// TilesDir is the name of the directory of tiles in the directory of a log.
const TilesDir = "tiles"

// Files in the directory of tiles.
const (
	CheckpointFile = "checkpoint"                  // the published checkpoint: the newest whose tiles are complete
	WitnessedFile  = CheckpointFile + ".witnessed" // the newest checkpoint that a quorum of witnesses has signed
)

// Tiles is a directory of tiles with published checkpoints. Its methods check no
// signature.
type Tiles struct{ merkle.TileDir }

// TilesOf returns the tiles that the writer of a log keeps in the log's
// directory.
func TilesOf(logDir string) Tiles { return tilesIn(filepath.Join(logDir, TilesDir)) }

func tilesIn(dir string) Tiles { return Tiles{merkle.TileDir{Dir: dir}} }

// Checkpoint returns the published checkpoint.
func (t Tiles) Checkpoint() (signed string, c Checkpoint, err error) {
	return t.ReadNote(CheckpointFile)
}

// WitnessedCheckpoint returns the newest checkpoint that a quorum of witnesses
// has signed or, if there is none, the published one.
func (t Tiles) WitnessedCheckpoint() (signed string, c Checkpoint, err error) {
	signed, c, err = t.ReadNote(WitnessedFile)
	if err == nil {
		return signed, c, nil
	}

	return t.ReadNote(CheckpointFile)
}

// newestCheckpointOver returns the witnessed checkpoint if it covers the line
// with number seq, else the published one, which may cover more lines but may
// have fewer signatures.
func (t Tiles) newestCheckpointOver(seq uint64) (signed string, c Checkpoint, err error) {
	signed, c, err = t.WitnessedCheckpoint()
	if err == nil && c.Size > seq {
		return signed, c, nil
	}

	return t.Checkpoint()
}

// ReadNote reads a checkpoint from the file called name.
func (t Tiles) ReadNote(name string) (signed string, c Checkpoint, err error) {
	b, err := os.ReadFile(filepath.Join(t.Dir, name))
	if err != nil {
		return "", c, err
	}

	c, err = parseUnverified(string(b))

	return string(b), c, err
}

// RootAt returns the Merkle root, in base64, of the first size lines, from the tiles
// of the published checkpoint. It trusts that checkpoint and nothing else.
func (t Tiles) RootAt(size uint64) (string, error) {
	_, c, err := t.Checkpoint()
	if err != nil {
		return "", err
	}
	if c.Size < size {
		return "", ErrNotSealed
	}
	root, err := merkle.ParseBase64(c.Root)
	if err != nil {
		return "", err
	}

	h, err := tlog.TreeHash(int64(size), t.HashReader(c.Size, root))

	return h.String(), err
}

// ProveConsistency returns the hashes, in base64, that prove that c continues
// the log of size from. For an empty or an equal log there are none.
func (t Tiles) ProveConsistency(from uint64, c Checkpoint) ([]string, error) {
	if from == 0 || from == c.Size {
		return nil, nil
	}

	root, err := merkle.ParseBase64(c.Root)
	if err != nil {
		return nil, err
	}
	hashes, err := tlog.ProveTree(int64(c.Size), int64(from), t.HashReader(c.Size, root))

	return formatProofHashes(hashes), err
}
