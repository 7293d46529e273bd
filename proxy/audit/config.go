package audit

import (
	"errors"
	"time"
)

// Config says where the log lies and how it is cut up.
type Config struct {
	// Dir holds the segments and the lock file. It is made with mode 0700. Two
	// processes must not share it. Required.
	Dir string `yaml:"dir"`
	// SegmentBytes is the size at which a new segment is started, in bytes.
	// Default 64 MiB. Opening reads one segment, so large ones start slowly.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// CheckpointEvery is the time between checkpoints while records arrive.
	// Default 10s. Records after the last checkpoint are not yet sealed:
	// whoever can write the folder can change them unseen.
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`

	// CommitEvery is the least time between two group commits while several
	// requests wait for each of them; one that waits alone is never held back.
	// Default 300µs. More saves processor and disk, and is added to each request.
	CommitEvery time.Duration `yaml:"commit_every"`

	disk disk             // nil: the real one; tests inject faults
	now  func() time.Time // nil: time.Now
}

// SetDefaults fills what was left out.
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
	if c.disk == nil {
		c.disk = osDisk{}
	}
	if c.now == nil {
		c.now = time.Now
	}
}

// Check lists what is wrong, each beginning with its key.
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
	if c.CommitEvery < 0 || c.CommitEvery > time.Second {
		problems = append(problems, errors.New("commit_every: must be from 1ns to 1s"))
	}
	return problems
}
