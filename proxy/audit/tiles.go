package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// TilesDir is the folder of tiles in a log's folder.
const TilesDir = "tiles"

const (
	CheckpointFile = "checkpoint"                  // the published checkpoint
	WitnessedFile  = CheckpointFile + ".witnessed" // the newest checkpoint that enough witnesses have signed
)

// Tiles is a folder of tiles with the published checkpoint.
type Tiles struct{ merkle.TileDir }

func tilesAt(dir string) Tiles { return Tiles{merkle.TileDir{Dir: dir}} }

// TilesOf are the tiles that a log's writer keeps in the log's folder.
func TilesOf(logDir string) Tiles { return tilesAt(filepath.Join(logDir, TilesDir)) }

// Checkpoint is the published note with what it says; nobody has checked its
// signature here.
func (f Tiles) Checkpoint() (signed string, c Checkpoint, err error) {
	return f.ReadNote(CheckpointFile)
}

// WitnessedCheckpoint is the newest note that a quorum of witnesses signed, or, where
// there is none, the published one.
func (f Tiles) WitnessedCheckpoint() (signed string, c Checkpoint, err error) {
	if signed, c, err = f.ReadNote(WitnessedFile); err == nil {
		return signed, c, nil
	}
	return f.ReadNote(CheckpointFile)
}

func (f Tiles) ReadNote(name string) (signed string, c Checkpoint, err error) {
	b, err := os.ReadFile(filepath.Join(f.Dir, name))
	if err != nil {
		return "", c, err
	}
	c, err = unverified(string(b))
	return string(b), c, err
}

func unverified(signed string) (Checkpoint, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("checkpoint: not a signed note")
	}
	return parseCheckpointText(text + "\n")
}
