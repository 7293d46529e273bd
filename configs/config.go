// Package configs is the only reader of byline.yaml. It checks the whole file
// and lists every problem at once, each with file and line.
package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
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
	// Control is where operators reach the server.
	Control Control `yaml:"control"`
	// Instance names this process in records. Default byline.
	Instance string `yaml:"instance"`
	// Adapters are the applications that are intercepted.
	Adapters Adapters `yaml:"adapters"`
	// Policy narrows what tasks may do.
	Policy Policy `yaml:"policy"`
	// Vault is where account secrets lie.
	Vault Vault `yaml:"vault"`
	// Lease says how accounts are lent.
	Lease lease.Config `yaml:"lease"`
	// Task bounds how long tasks live.
	Task identity.Config `yaml:"task"`
	// Audit is the record.
	Audit Audit `yaml:"audit"`
	// Certs is where the interception authority lies.
	Certs Dir `yaml:"certs"`
	// PassThrough are hosts that are tunnelled unread. Default none. Nothing
	// is stripped, decided or recorded inside such a tunnel.
	PassThrough []string `yaml:"pass_through"`
	// Guard widens what the dialer may reach.
	Guard Guard `yaml:"guard"`
	// Log is the operator's log; it is not the audit record.
	Log Log `yaml:"log"`
}

// TLS names a certificate and its key, both PEM files, both or neither.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Control is where and by whom the control API is reached.
type Control struct {
	// Listen defaults to 127.0.0.1:8081.
	Listen string `yaml:"listen"`
	// TokenFile defaults to control.token in data_dir; made at first start.
	TokenFile string `yaml:"token_file"`
	// Socket defaults to control.sock in data_dir.
	Socket string `yaml:"socket"`
}

// Adapters says where adapters come from.
type Adapters struct {
	// Dir defaults to adapters.d beside the file.
	Dir string `yaml:"dir"`
	// Library names the built-in adapters in force. Default none: their hosts
	// are examples, extend one instead.
	Library []string `yaml:"library"`
	// Overdue is what happens past an adapter's review date: warn (default)
	// or refuse.
	Overdue string `yaml:"overdue"`
}

// Policy says where the operator's policies lie.
type Policy struct {
	// Dir defaults to policies.d beside the file.
	Dir string `yaml:"dir"`
}

// Dir is a folder.
type Dir struct {
	// Dir defaults to certs in data_dir.
	Dir string `yaml:"dir"`
}

// Vault says where secrets and their key lie. At most one key may be named.
type Vault struct {
	// File defaults to vault in data_dir.
	File string `yaml:"file"`
	// KeyFile defaults to vault.key in data_dir when no other key is named.
	KeyFile string `yaml:"key_file"`
	// KeyEnv names an environment variable that holds the key.
	KeyEnv string `yaml:"key_env"`
	// KeyCredential names a systemd credential that holds the key.
	KeyCredential string `yaml:"key_credential"`
	// Env also takes secrets from BYLINE_SECRET_… variables. Default false:
	// an environment is easily read.
	Env bool `yaml:"env"`
}

// Audit says where records lie and how they are committed.
type Audit struct {
	// Dir defaults to audit in data_dir.
	Dir string `yaml:"dir"`
	// KeyFile signs checkpoints. Default audit.key in data_dir.
	KeyFile string `yaml:"key_file"`
	// SegmentBytes is the size of a segment. Default 64 MiB.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// CheckpointEvery is the time between checkpoints. Default 10s. What was
	// cut off after the last one is not found.
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`
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

// Prefixes is Allow parsed; what does not parse is left out, see Check.
func (g *Guard) Prefixes() (out []netip.Prefix) {
	for _, s := range g.Allow {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
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
	or(&c.Policy.Dir, "policies.d")
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
	if c.Audit.SegmentBytes == 0 {
		c.Audit.SegmentBytes = 64 << 20
	}
	if c.Audit.CheckpointEvery == 0 {
		c.Audit.CheckpointEvery = 10 * time.Second
	}
	c.Lease.SetDefaults()
	c.Task.SetDefaults()
}

// Check lists what is wrong, each beginning with its key path.
func (c *Config) Check() (problems []error) {
	add := func(bad bool, format string, a ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, a...))
		}
	}
	add(c.DataDir == "", "data_dir: is missing; name the folder that holds the server's state")
	for _, l := range []struct{ key, v string }{{"listen", c.Listen}, {"control.listen", c.Control.Listen}} {
		_, _, err := net.SplitHostPort(l.v)
		add(err != nil, "%s: %q is no address with a port; write it like 127.0.0.1:8080", l.key, l.v)
	}
	add((c.TLS.Cert == "") != (c.TLS.Key == ""), "tls: needs both cert and key, or neither")
	oneOf := func(key, v string, allowed ...string) {
		for _, a := range allowed {
			if v == a {
				return
			}
		}
		add(true, "%s: %q is none of %v", key, v, allowed)
	}
	oneOf("adapters.overdue", c.Adapters.Overdue, "warn", "refuse")
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "json", "text")
	keys := 0
	for _, k := range []string{c.Vault.KeyFile, c.Vault.KeyEnv, c.Vault.KeyCredential} {
		if k != "" {
			keys++
		}
	}
	add(keys > 1, "vault: names %d keys; keep one of key_file, key_env and key_credential", keys)
	add(c.Audit.SegmentBytes < 1<<20, "audit.segment_bytes: must be at least 1048576")
	add(c.Audit.CheckpointEvery < 0, "audit.checkpoint_every: must be positive")
	for i, s := range c.Guard.Allow {
		_, err := netip.ParsePrefix(s)
		add(err != nil, "guard.allow: entry %d, %q, is no prefix; write it like 10.0.0.0/8", i+1, s)
	}
	for prefix, errs := range map[string][]error{"lease": c.Lease.Check(), "task": c.Task.Check()} {
		for _, err := range errs {
			problems = append(problems, fmt.Errorf("%s.%w", prefix, err))
		}
	}
	return problems
}

// paths are all the fields that name a file or folder.
func (c *Config) paths() []*string {
	return []*string{&c.DataDir, &c.TLS.Cert, &c.TLS.Key, &c.Control.TokenFile, &c.Control.Socket, &c.Adapters.Dir,
		&c.Policy.Dir, &c.Vault.File, &c.Vault.KeyFile, &c.Audit.Dir, &c.Audit.KeyFile, &c.Certs.Dir}
}

// ErrNoFile says that there is no configuration file; byline init writes one.
var ErrNoFile = errors.New("there is no configuration file")
