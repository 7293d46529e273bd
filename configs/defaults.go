package configs

import (
	"path/filepath"
	"time"
)

// SetDefaults gives every key that is not set its default value. Defaults that
// are paths are relative to data_dir or to the configuration file; [Load] makes
// them absolute.
func (c *Config) SetDefaults() {
	setDefault := func(value *string, def string) {
		if *value == "" {
			*value = def
		}
	}
	setInDataDir := func(value *string, name string) {
		setDefault(value, filepath.Join(c.DataDir, name))
	}

	setDefault(&c.Listen, "127.0.0.1:8080")
	setDefault(&c.Control.Listen, "127.0.0.1:8081")
	for i := range c.Listeners {
		setDefault(&c.Listeners[i].Mode, "proxy")
	}
	setDefault(&c.Instance, "byline")
	setDefault(&c.Adapters.Dir, "adapters.d")
	setDefault(&c.Adapters.Overdue, "warn")
	setDefault(&c.Run.Isolate, "off")
	setDefault(&c.Log.Level, "info")
	setDefault(&c.Log.Format, "json")
	if c.Drain == 0 {
		c.Drain = 20 * time.Second
	}

	setInDataDir(&c.Control.TokenFile, "control.token")
	setInDataDir(&c.Control.Socket, "control.sock")
	setInDataDir(&c.Vault.File, "vault")
	if c.Vault.KeyEnv == "" && c.Vault.KeyCredential == "" {
		setInDataDir(&c.Vault.KeyFile, "vault.key")
	}
	setInDataDir(&c.Audit.Dir, "audit")
	setInDataDir(&c.Audit.KeyFile, "audit.key")
	setInDataDir(&c.Certs.Dir, "certs")

	c.Policy.SetDefaults()
	c.Vault.SetDefaults()
	c.Lease.SetDefaults()
	c.Task.SetDefaults()
	c.Audit.SetDefaults()
	c.Wire.SetDefaults()
	for i := range c.Sinks {
		c.Sinks[i].SetDefaults()
	}
}

// paths returns pointers to all fields that name a file or a directory.
func (c *Config) paths() []*string {
	all := []*string{
		&c.DataDir,
		&c.TLS.Cert,
		&c.TLS.Key,
		&c.Control.TokenFile,
		&c.Control.Socket,
		&c.Adapters.Dir,
		&c.Policy.Dir,
		&c.Vault.File,
		&c.Vault.KeyFile,
		&c.Audit.Dir,
		&c.Audit.Archive,
		&c.Audit.KeyFile,
		&c.Certs.Dir,
		&c.Upstream.ProxyAuth,
	}
	for i := range c.Sinks {
		s := &c.Sinks[i]
		all = append(all, &s.SecretFile, &s.CA, &s.ClientCert, &s.ClientKey)
	}
	return all
}
