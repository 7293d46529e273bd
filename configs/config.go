// Package configs is the only reader of byline.yaml. It checks the whole file
// and lists every problem at once, each with file and line.
package configs

import (
	"errors"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
)

// Config is the whole of byline.yaml. The paths that [Load] returns are
// absolute. The zero value is not valid: data_dir must be named.
type Config struct {
	// DataDir holds what the server keeps. No default.
	DataDir string `yaml:"data_dir"`
	// Listen is where agents reach the proxy. Default 127.0.0.1:8080. On an
	// address that other machines reach, set tls: task tokens cross it.
	Listen string `yaml:"listen"`
	// TLS secures the way from agent to proxy. Default none.
	TLS TLS `yaml:"tls"`
	// Drain is how long exchanges under way may go on after SIGTERM before they
	// are cut. Default 20s. Keep it below the TimeoutStopSec of the unit.
	Drain time.Duration `yaml:"drain"`
	// Instance names this process in records, and its audit key. Default byline.
	// Two processes that share a name cannot be told apart afterwards.
	Instance string `yaml:"instance"`
	// Control is where operators reach the server.
	Control Control `yaml:"control"`
	// Adapters are the applications that are intercepted.
	Adapters Adapters `yaml:"adapters"`
	// Policy narrows what tasks may do.
	Policy policy.Config `yaml:"policy"`
	// Vault is where account secrets lie. File defaults to vault in data_dir;
	// the key to key_file vault.key in data_dir when none is named.
	Vault vault.Config `yaml:"vault"`
	// Lease says how accounts are lent.
	Lease lease.Config `yaml:"lease"`
	// Task bounds how long tasks live.
	Task identity.Config `yaml:"task"`
	// Audit is the record.
	Audit Audit `yaml:"audit"`
	// Wire is the patience and the bounds of connections.
	Wire wire.Config `yaml:"wire"`
	// Upstream is the proxy towards applications, for adapters that name no other,
	// and for hosts that are passed through.
	Upstream wire.ViaConfig `yaml:"upstream"`
	// Certs is where the interception authority lies.
	Certs Certs `yaml:"certs"`
	// PassThrough lists hosts that are tunnelled unread: host or *.suffix, either
	// with :port (443 without). Default none. Nothing is stripped or decided
	// inside such a tunnel; only that it was open is on record.
	PassThrough []string `yaml:"pass_through"`
	// Guard widens what the dialer may reach.
	Guard Guard `yaml:"guard"`
	// Sinks hand every durable record on, each at its own pace, at least once.
	// Default none. A record that a sink does not take is kept and comes again.
	Sinks []sinks.Config `yaml:"sinks"`
	// Log is the operator's log; it is not the audit record.
	Log Log `yaml:"log"`

	name string    // of the file, as it was given
	top  yaml.Node // where each key stands
}

// TLS names a certificate and its key, both or neither.
type TLS struct {
	// Cert is a PEM file: the certificate and those that lead to its root.
	Cert string `yaml:"cert"`
	// Key is the PEM file with its key.
	Key string `yaml:"key"`
}

// Control is where and by whom the control API is reached.
type Control struct {
	// Listen is the address of the control API, with the token. Default
	// 127.0.0.1:8081. It has no TLS of its own: beyond this machine put a
	// reverse proxy with TLS before it.
	Listen string `yaml:"listen"`
	// Hosts are names besides loopback that such a reverse proxy forwards in
	// Host. Default none: a name that was rebound to this address is refused.
	Hosts []string `yaml:"hosts"`
	// TokenFile holds the token. Default control.token in data_dir; made at
	// first start, mode 0600. Who reads it can make tasks.
	TokenFile string `yaml:"token_file"`
	// Socket is the Unix socket that root and the server's own user may use
	// without the token. Default control.sock in data_dir.
	Socket string `yaml:"socket"`
}

// Adapters says where adapters come from.
type Adapters struct {
	// Dir holds the adapters, *.yaml, one a file. Default adapters.d beside the
	// configuration file.
	Dir string `yaml:"dir"`
	// Overdue is what happens past an adapter's review date: warn (default)
	// or refuse.
	Overdue string `yaml:"overdue"`
}

// Certs is where the interception authority lies.
type Certs struct {
	// Dir holds root and issuing authority. Default certs in data_dir. Only
	// root.crt in it may leave the machine.
	Dir string `yaml:"dir"`
}

// Audit says where records lie and who signs them.
type Audit struct {
	audit.Config `yaml:",inline"`
	// KeyFile signs checkpoints; its public half lies beside it, with .pub.
	// Default audit.key in data_dir. Who reads it can write a false log.
	KeyFile string `yaml:"key_file"`
}

// Guard lists the addresses the dialer may reach although they are private.
type Guard struct {
	// Allow is a list of CIDR prefixes. Default none. An adapter with such an
	// upstream lets agents reach into that network.
	Allow []string `yaml:"allow"`
}

// Log is how the operator's log is written.
type Log struct {
	// Level is debug, info (default), warn or error.
	Level string `yaml:"level"`
	// Format is json (default) or text.
	Format string `yaml:"format"`
}

// SetDefaults fills what was left out.
func (c *Config) SetDefaults() {
	in := func(v *string, name string) {
		if *v == "" {
			*v = filepath.Join(c.DataDir, name)
		}
	}
	or := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	or(&c.Listen, "127.0.0.1:8080")
	or(&c.Control.Listen, "127.0.0.1:8081")
	or(&c.Instance, "byline")
	or(&c.Adapters.Dir, "adapters.d")
	or(&c.Adapters.Overdue, "warn")
	or(&c.Log.Level, "info")
	or(&c.Log.Format, "json")
	in(&c.Control.TokenFile, "control.token")
	in(&c.Control.Socket, "control.sock")
	in(&c.Vault.File, "vault")
	if c.Vault.KeyEnv == "" && c.Vault.KeyCredential == "" {
		in(&c.Vault.KeyFile, "vault.key")
	}
	in(&c.Audit.Dir, "audit")
	in(&c.Audit.KeyFile, "audit.key")
	in(&c.Certs.Dir, "certs")
	if c.Drain == 0 {
		c.Drain = 20 * time.Second
	}
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

// paths are all the fields that name a file or folder.
func (c *Config) paths() []*string {
	all := []*string{&c.DataDir, &c.TLS.Cert, &c.TLS.Key, &c.Control.TokenFile, &c.Control.Socket, &c.Adapters.Dir,
		&c.Policy.Dir, &c.Vault.File, &c.Vault.KeyFile, &c.Audit.Dir, &c.Audit.KeyFile, &c.Certs.Dir, &c.Upstream.ProxyAuth}
	for i := range c.Sinks {
		s := &c.Sinks[i]
		all = append(all, &s.SecretFile, &s.CA, &s.ClientCert, &s.ClientKey)
	}
	return all
}

// ErrNoFile says that there is no configuration file; byline init writes one.
var ErrNoFile = errors.New("there is no configuration file")
