package vault

import (
	"errors"
	"strings"
)

// Config says where secrets and their key are. It names at most one key.
type Config struct {
	// File is the encrypted vault.
	File string `yaml:"file"`
	// KeyFile holds the key. Only its owner may have access to it.
	KeyFile string `yaml:"key_file"`
	// KeyEnv names an environment variable that holds the key. Every process of
	// the same user on the machine can read it.
	KeyEnv string `yaml:"key_env"`
	// KeyCredential names a systemd credential that holds the key
	// (LoadCredential= or LoadCredentialEncrypted= in the unit).
	KeyCredential string `yaml:"key_credential"`
	// Env also reads secrets from BYLINE_SECRET_… variables. Default false.
	Env bool `yaml:"env"`
}

// SetDefaults changes nothing: secrets are read only from where the
// configuration says.
func (c *Config) SetDefaults() {}

// Check returns every problem, each beginning with its key.
func (c *Config) Check() (problems []error) {
	keys := 0
	for _, name := range []string{c.KeyFile, c.KeyEnv, c.KeyCredential} {
		if name != "" {
			keys++
		}
	}
	if keys > 1 {
		problems = append(problems, errors.New("key_file: name one of key_file, key_env and key_credential, not more"))
	}

	n := c.KeyCredential
	if n == "." || n == ".." || strings.ContainsAny(n, "/\x00") {
		problems = append(problems, errors.New("key_credential: must be a credential's name, not a path"))
	}
	return problems
}
