// Package configs is the only reader of byline.yaml. It reads the file
// strictly and reports every problem at once, each with its file and line.
//
// The doc comments of the structs that make up [Config], here and in the
// packages that own a section, are the reference manual: docs/configuration.md
// and byline.schema.json are generated from them.
package configs

import (
	"errors"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// ErrNoFile is returned by [Load] and [Read] if there is no configuration
// file. byline init writes one.
var ErrNoFile = errors.New("there is no configuration file")

// Config is the content of byline.yaml. All paths in a Config that [Load]
// returns are absolute. The zero value is not valid: data_dir has no default.
type Config struct {
	// DataDir is the directory in which the server keeps its state. Required.
	// Back it up together with its keys, but without state.db: an old copy of
	// that file would revive tasks that have ended.
	DataDir string `yaml:"data_dir"`
	// Listen is the address on which agents reach the proxy. Default
	// 127.0.0.1:8080. If other machines can reach it, also set tls: task
	// tokens cross this connection.
	Listen string `yaml:"listen"`
	// Listeners are further addresses at which agents connect. Default: none.
	Listeners []Listener `yaml:"listeners"`
	// TLS secures the connection from an agent to the proxy. Default: no TLS.
	TLS TLS `yaml:"tls"`
	// Drain is how long requests in flight may continue after SIGTERM before
	// they are cut. Default 20s. Keep it below the TimeoutStopSec of the
	// systemd unit, or systemd kills the process first.
	Drain time.Duration `yaml:"drain"`
	// Instance is the name of this process in records and of its audit key.
	// Default byline. Records of two processes with the same name cannot be
	// told apart afterwards.
	Instance string `yaml:"instance"`
	// Control is the API through which operators reach the server.
	Control Control `yaml:"control"`
	// Adapters describe the applications whose traffic is intercepted.
	Adapters Adapters `yaml:"adapters"`
	// Policy restricts what tasks may do, beyond the scope of each task.
	Policy policy.Config `yaml:"policy"`
	// Vault holds the secrets of the accounts. file defaults to vault in
	// data_dir; if no key is configured, key_file defaults to vault.key in
	// data_dir.
	Vault vault.Config `yaml:"vault"`
	// Lease controls how accounts are leased to tasks.
	Lease lease.Config `yaml:"lease"`
	// Task limits how long a task lives.
	Task identity.Config `yaml:"task"`
	// Audit is the audit record.
	Audit Audit `yaml:"audit"`
	// Wire holds the timeouts and limits of connections.
	Wire wire.Config `yaml:"wire"`
	// Upstream is the proxy through which applications are reached, unless an
	// adapter names another one, and through which hosts in pass_through are
	// reached.
	Upstream upstream.ProxyConfig `yaml:"upstream"`
	// Certs is the interception authority.
	Certs Certs `yaml:"certs"`
	// PassThrough lists hosts whose tunnels are copied without being read: a
	// host name or *.suffix, optionally with :port; without a port, 443.
	// Default: none. Inside such a tunnel nothing is stripped or decided, and
	// only the fact that it was open is recorded.
	PassThrough []string `yaml:"pass_through"`
	// Run says how byline run starts programs.
	Run Run `yaml:"run"`
	// Guard permits destinations that the dialer refuses by default.
	Guard Guard `yaml:"guard"`
	// Sinks forward every durable record, each at its own pace and at least
	// once. Default: none. A record that a sink does not accept is kept and
	// sent again.
	Sinks []sinks.Config `yaml:"sinks"`
	// Log is the operator's log. It is separate from the audit record.
	Log Log `yaml:"log"`

	file string    // name of the file, as the caller gave it
	root yaml.Node // parsed document; gives each key its line
}

// Listener is an address at which agents connect without naming Byline, or over a Unix
// socket.
type Listener struct {
	// Listen is an address with a port, or unix: and the path of a socket, which
	// every user may then connect to. Required.
	Listen string `yaml:"listen"`
	// Mode says what arrives: proxy for agents that use Byline as their proxy,
	// redirect for connections that the kernel redirects to this port (nft
	// redirect), tproxy for those that it diverts to it (nft tproxy, needs
	// CAP_NET_ADMIN). Default proxy. A redirected or diverted connection has no
	// token: its task is bound to a user or a subnet.
	Mode string `yaml:"mode"`
}

// Socket returns the path of the Unix socket, or "" if the listener is on TCP.
func (l *Listener) Socket() string {
	path, isSocket := strings.CutPrefix(l.Listen, "unix:")
	if !isSocket {
		return ""
	}
	return path
}

// Run is read by byline run and not by the server.
type Run struct {
	// Isolate keeps a program from going around Byline, unless the flag --isolate
	// says otherwise: require runs it where nothing but Byline can be reached, and
	// not at all if this machine does not allow that; best falls back to what it
	// allows; off only tells the program its proxy. Default off.
	Isolate string `yaml:"isolate"`
}

// TLS names a certificate and its key. Both are set, or neither.
type TLS struct {
	// Cert is a PEM file with the certificate, followed by the intermediate
	// certificates up to its root.
	Cert string `yaml:"cert"`
	// Key is a PEM file with the private key of cert.
	Key string `yaml:"key"`
}

// Control configures the control API.
type Control struct {
	// Listen is the address of the control API, which requires the token.
	// Default 127.0.0.1:8081. The API does not speak TLS: to reach it from
	// other machines, put a reverse proxy with TLS in front of it.
	Listen string `yaml:"listen"`
	// Hosts lists the host names, in addition to loopback names, that such a
	// reverse proxy forwards in Host. Default: none. A request with any other
	// Host is refused, which stops DNS rebinding.
	Hosts []string `yaml:"hosts"`
	// TokenFile is the file that holds the token. Default control.token in
	// data_dir; created with mode 0600 when the server first starts. Anybody
	// who can read it can create tasks.
	TokenFile string `yaml:"token_file"`
	// Socket is a Unix socket that root and the server's own user may use
	// without the token. Default control.sock in data_dir.
	Socket string `yaml:"socket"`
}

// Adapters says where adapters are read from.
type Adapters struct {
	// Dir is the directory of the adapters: *.yaml, one adapter per file.
	// Default adapters.d next to the configuration file.
	Dir string `yaml:"dir"`
	// Overdue says what happens when an adapter's review date has passed:
	// warn (default) or refuse.
	Overdue string `yaml:"overdue"`
}

// Certs says where the interception authority is kept.
type Certs struct {
	// Dir is the directory of the root and the issuing authority. Default
	// certs in data_dir. Only root.crt may leave the machine: with the keys,
	// anybody can impersonate the adapters' hosts to agents.
	Dir string `yaml:"dir"`
}

// Audit configures the record and the key that signs it.
type Audit struct {
	journal.Config `yaml:",inline"`
	// KeyFile is the key that signs checkpoints; its public half is stored
	// next to it with the suffix .pub. Default audit.key in data_dir. Anybody
	// who can read it can sign a forged log.
	KeyFile string `yaml:"key_file"`
}

// Guard lists private destinations that the dialer may reach.
type Guard struct {
	// Allow is a list of CIDR prefixes. Default: none, so that only public
	// addresses are dialed. An adapter whose upstream lies in an allowed prefix
	// gives agents access to that network.
	Allow []string `yaml:"allow"`
}

// Log configures the operator's log.
type Log struct {
	// Level is debug, info (default), warn or error.
	Level string `yaml:"level"`
	// Format is json (default) or text. In JSON every line that the server writes
	// to standard error is one object.
	Format string `yaml:"format"`
}
