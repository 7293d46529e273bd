package journal

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Config says where the log lies and how it is cut up.
type Config struct {
	// Dir holds the segments and the lock file. It is made with mode 0700. Two
	// processes must not share it. Required.
	Dir string `yaml:"dir"`
	// SegmentBytes is the size at which a new segment is started, in bytes.
	// Default 64 MiB. Opening reads one segment, so large ones start slowly. The
	// next one's file is filled with zeros ahead, where there is room.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// CheckpointEvery is the time between checkpoints while records arrive.
	// Default 10s. Records after the last checkpoint are not yet sealed:
	// whoever can write the folder can change them unseen.
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`

	// CommitEvery is the least time between two group commits while several
	// requests wait for each of them; one that waits alone is never held back.
	// Default 300µs. More saves processor and disk, and is added to each request.
	CommitEvery time.Duration `yaml:"commit_every"`
	// Witnesses sign each checkpoint after they have seen that nothing before it
	// was changed. Default none. A witness that is slow or gone holds nothing up.
	Witnesses []Witness `yaml:"witnesses"`
	// Quorum is how many of them make a checkpoint a witnessed one. Default 1,
	// where there are witnesses.
	Quorum int `yaml:"quorum"`

	disk disk             // nil: the real one; tests inject faults
	now  func() time.Time // nil: time.Now
}

// Witness is somebody else's server that speaks C2SP tlog-witness.
type Witness struct {
	// URL is where its add-checkpoint stands, like https://witness.example/byline.
	URL string `yaml:"url"`
	// Key is its verifier key, NAME+HASH+BASE64 of type cosignature/v1; its name
	// is the witness's.
	Key string `yaml:"key"`
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
	return append(problems, c.checkWitnesses()...)
}

func (c *Config) checkWitnesses() (problems []error) {
	names := map[string]bool{}
	for i, w := range c.Witnesses {
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			problems = append(problems, fmt.Errorf("witnesses[%d].url: %q is no URL like https://witness.example/byline", i, w.URL))
		}
		k, err := audit.ParseWitnessKey(w.Key)
		if err != nil {
			problems = append(problems, fmt.Errorf("witnesses[%d].key: %w", i, err))
		}
		if names[k.Name] && err == nil {
			problems = append(problems, fmt.Errorf("witnesses[%d].key: %s is named twice", i, k.Name))
		}
		names[k.Name] = true
	}
	if c.Quorum < 0 || c.Quorum > len(c.Witnesses) {
		problems = append(problems, fmt.Errorf("quorum: %d of %d witnesses", c.Quorum, len(c.Witnesses)))
	}
	return problems
}
