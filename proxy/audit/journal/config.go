package journal

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Config says where a log is and how it is written. Dir must be set; the zero
// values of the other fields stand for their defaults, see SetDefaults.
type Config struct {
	// Dir holds the segments, the tiles and the lock file. It is created with
	// mode 0700. Two processes must not share it. Required.
	Dir string `yaml:"dir"`
	// SegmentBytes is the size at which a new segment is started, in bytes.
	// Default 64 MiB. Opening the log reads its last segment, so large segments
	// make the start slow. The file of the next segment is filled with zeros ahead
	// of time if the disk has room.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// CheckpointEvery is the time between checkpoints while records arrive.
	// Default 10s. Records after the last checkpoint are not sealed yet: whoever
	// can write to the folder can change them unnoticed.
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`

	// Archive is the folder to which byline audit archive moves old segments.
	// Commands that read the record read it, too. Default none.
	Archive string `yaml:"archive"`
	// Retention is how long byline audit archive keeps the records that it moved.
	// Default 0: for ever. It removes a segment whose newest record is older, and
	// puts on record what it removed.
	Retention time.Duration `yaml:"retention"`

	// CommitEvery is the least time between two group commits while several
	// requests wait for each of them; a request that waits alone is never held
	// back. Default 300µs. A longer time saves processor and disk, and delays
	// each request.
	CommitEvery time.Duration `yaml:"commit_every"`
	// CommitTimeout is how long a request waits for the disk to take its record.
	// After that it is refused, and /readyz says so. Default 5s.
	CommitTimeout time.Duration `yaml:"commit_timeout"`
	// Witnesses sign each checkpoint after they have checked that nothing before
	// it was changed. Default none. A witness that is slow or gone delays nothing.
	Witnesses []Witness `yaml:"witnesses"`
	// Quorum is how many witnesses must sign a checkpoint before it counts as
	// witnessed. Default 1 if there are witnesses.
	Quorum int `yaml:"quorum"`

	disk disk             // nil stands for the disk of the system; tests inject faults
	now  func() time.Time // nil stands for time.Now
}

// Folders returns the directories that hold segments of the log: Dir and, if it is
// there, Archive.
func (c *Config) Folders() audit.Folders {
	folders := audit.Folders{c.Dir}
	if c.Archive == "" {
		return folders
	}
	if _, err := os.Stat(c.Archive); err != nil {
		return folders // nothing was moved yet, or it is not mounted
	}

	return append(folders, c.Archive)
}

// Witness is a server that speaks C2SP tlog-witness. Somebody other than the
// operator of the log should run it.
type Witness struct {
	// URL is the address below which add-checkpoint is, for example
	// https://witness.example/byline.
	URL string `yaml:"url"`
	// Key is the verifier key of the witness, NAME+HASH+BASE64 of type
	// cosignature/v1. NAME is the name of the witness.
	Key string `yaml:"key"`
}

// SetDefaults sets the fields that are zero to their defaults.
func (c *Config) SetDefaults() {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 64 << 20
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 10 * time.Second
	}
	if c.CommitEvery == 0 {
		c.CommitEvery = 300 * time.Microsecond
	}
	if c.CommitTimeout == 0 {
		c.CommitTimeout = 5 * time.Second
	}
	if c.Quorum == 0 && len(c.Witnesses) > 0 {
		c.Quorum = 1
	}
	if c.disk == nil {
		c.disk = osDisk{}
	}
	if c.now == nil {
		c.now = time.Now
	}
}

// Check returns everything that is wrong with c after SetDefaults. Each error
// begins with its key.
func (c *Config) Check() (problems []error) {
	if c.Dir == "" {
		problems = append(problems, errors.New("dir: is missing; name the folder that holds the records"))
	}
	if c.SegmentBytes < 4096 {
		problems = append(problems, errors.New("segment_bytes: must be at least 4096"))
	}
	if c.CheckpointEvery <= 0 {
		problems = append(problems, errors.New("checkpoint_every: must be positive"))
	}
	if c.Retention < 0 {
		problems = append(problems, errors.New("retention: must not be negative"))
	}
	if c.Archive != "" && filepath.Clean(c.Archive) == filepath.Clean(c.Dir) {
		problems = append(problems, errors.New("archive: must be another folder than dir"))
	}
	if c.CommitEvery < 0 || c.CommitEvery > time.Second {
		problems = append(problems, errors.New("commit_every: must be from 1ns to 1s"))
	}
	if c.CommitTimeout < 0 || c.CommitTimeout > time.Minute {
		problems = append(problems, errors.New("commit_timeout: must be from 1ms to 1m"))
	}

	return append(problems, c.checkWitnesses()...)
}

func (c *Config) checkWitnesses() (problems []error) {
	names := map[string]bool{}
	for i, w := range c.Witnesses {
		u, err := url.Parse(w.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			problems = append(problems, fmt.Errorf("witnesses[%d].url: %q is not a URL like https://witness.example/byline", i, w.URL))
		}

		key, err := audit.ParseWitnessKey(w.Key)
		if err != nil {
			problems = append(problems, fmt.Errorf("witnesses[%d].key: %w", i, err))
		}
		if names[key.Name] && err == nil {
			problems = append(problems, fmt.Errorf("witnesses[%d].key: %s is listed twice", i, key.Name))
		}
		names[key.Name] = true
	}

	if c.Quorum < 0 || c.Quorum > len(c.Witnesses) {
		problems = append(problems, fmt.Errorf("quorum: %d of %d witnesses", c.Quorum, len(c.Witnesses)))
	}

	return problems
}
