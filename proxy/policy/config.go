package policy

import "errors"

// Config says where the operator's policies are.
type Config struct {
	// Dir holds the operator's *.cedar files. Default policies.d next to the
	// configuration file. A file that is removed no longer forbids anything:
	// restrict who may write there.
	Dir string `yaml:"dir"`
}

// SetDefaults fills the fields that are zero.
func (c *Config) SetDefaults() {
	if c.Dir == "" {
		c.Dir = "policies.d"
	}
}

// Check returns every problem, each beginning with its key.
func (c *Config) Check() []error {
	if c.Dir == "" {
		return []error{errors.New("dir: must name a folder, like policies.d")}
	}
	return nil
}
