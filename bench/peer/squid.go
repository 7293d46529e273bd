package peer

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/byline-proxy/byline/bench/origin"
)

// The proxies that Debian packages; bench/install.sh installs them.
const (
	Squid     = "squid"     // squid-openssl with ssl-bump
	Mitmproxy = "mitmproxy" // mitmdump
)

// ErrMissing says that a peer is not installed; the bench goes on without it.
var ErrMissing = errors.New("not installed (bench/install.sh installs it on Debian)")

// freePort is a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startSquid runs squid as one process that bumps everything, caches nothing
// and logs nothing. Agents name the origin's real port, since squid resolves
// names from a file, but no ports.
func (s *Testbed) startSquid(ctx context.Context, trust string) (*Peer, error) {
	exe, err := exec.LookPath("squid")
	certgen := "/usr/lib/squid/security_file_certgen"
	if _, missing := os.Stat(certgen); err != nil || missing != nil {
		return nil, ErrMissing
	}
	authority, err := origin.NewAuthority("bench squid")
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(authority.Key)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "byline-bench-squid-") // squid gives up root, and must still reach it
	if err != nil {
		return nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	roots, err := os.ReadFile(trust)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"ca.pem": append(bytes.Clone(authority.PEM), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...),
		"hosts": []byte("127.0.0.1 " + origin.HostH1 + " " + origin.HostH2 + "\n"), "origin.pem": roots,
		"squid.conf": fmt.Appendf(nil, squidConf, port, dir, certgen)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, certgen, "-c", "-s", filepath.Join(dir, "db"), "-M", "4MB").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := chownAll(dir, "proxy"); err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-N", "-f", filepath.Join(dir, "squid.conf"))
	p, err := s.startOther(ctx, Squid, cmd, port, string(authority.PEM), remove)
	if p != nil {
		p.RealPorts = true
	}
	return p, err
}

const squidConf = `http_port 127.0.0.1:%[1]d ssl-bump tls-cert=%[2]s/ca.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program %[3]s -s %[2]s/db -M 4MB
sslcrtd_children 1
ssl_bump bump all
tls_outgoing_options cafile=%[2]s/origin.pem
hosts_file %[2]s/hosts
http_access allow all
cache deny all
cache_mem 8 MB
access_log none
cache_log %[2]s/cache.log
cache_store_log none
pid_filename %[2]s/pid
coredump_dir %[2]s
shutdown_lifetime 0 seconds
via off
forwarded_for delete
max_filedescriptors 65536
pinger_enable off
`

// chownAll gives a folder to the user that squid runs as; only root can, and
// only root has to.
func chownAll(dir, name string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}

// startMitmproxy runs mitmdump with one small script that resolves the origin's
// names; agents name its real port. A script that gives a connection another
// address is no way: mitmproxy then takes none of them up again, opens one for
// each request, and waits for ever when an agent has five.
func (s *Testbed) startMitmproxy(ctx context.Context, trust string) (*Peer, error) {
	exe, err := exec.LookPath("mitmdump")
	if err != nil {
		return nil, ErrMissing
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, "mitmproxy-")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "where.py")
	if err := os.WriteFile(script, fmt.Appendf(nil, mitmScript, origin.HostH1, origin.HostH2), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "--quiet", "--listen-host", "127.0.0.1", "--listen-port", strconv.Itoa(port), "--set", "confdir="+dir,
		"--set", "ssl_verify_upstream_trusted_ca="+trust, "--set", "connection_strategy=lazy", "--set", "upstream_cert=false",
		"--set", "flow_detail=0", "--set", "stream_large_bodies=1m", "-s", script)
	p, err := s.startOther(ctx, Mitmproxy, cmd, port, "", nil)
	if err != nil {
		return nil, err
	}
	p.RealPorts = true
	root, err := os.ReadFile(filepath.Join(dir, "mitmproxy-ca-cert.pem"))
	if err == nil {
		p.Roots, err = pool(string(root))
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

const mitmScript = `import socket

system = socket.getaddrinfo

def lookup(host, *more, **named):
    return system("127.0.0.1" if host in (%q, %q) else host, *more, **named)

socket.getaddrinfo = lookup
`

// startOther starts a foreign program and waits until its port answers.
func (s *Testbed) startOther(ctx context.Context, name string, cmd *exec.Cmd, port int, roots string, after func()) (*Peer, error) {
	proc, err := start(ctx, s.Core, cmd)
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: name, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), process: proc, Intercepts: true, after: after}
	for range 300 {
		c, err := net.DialTimeout("tcp", p.Addr, time.Second)
		if err == nil {
			c.Close()
			if roots != "" {
				p.Roots, err = pool(roots)
			}
			return p, err
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.Stop()
	return nil, errors.New("it does not listen")
}
