package peer

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/byline-proxy/byline/bench/origin"
)

// startSquid starts squid as one process that intercepts everything, and caches
// and logs nothing. Squid resolves names from a file, but cannot map ports, so
// agents ask for the port of the origin.
func (tb *Testbed) startSquid(ctx context.Context, trustFile string) (*Peer, error) {
	const certgen = "/usr/lib/squid/security_file_certgen"
	exe, err := exec.LookPath("squid")
	if err != nil {
		return nil, ErrNotInstalled
	}
	if _, err := os.Stat(certgen); err != nil {
		return nil, ErrNotInstalled
	}
	authority, err := origin.NewAuthority("bench squid")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "byline-bench-squid-") // squid drops root, and must still be able to read it
	if err != nil {
		return nil, err
	}
	if err := writeSquidFiles(dir, port, certgen, authority, trustFile); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, certgen, "-c", "-s", filepath.Join(dir, "db"), "-M", "4MB").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := chownAll(dir, "proxy"); err != nil {
		return nil, err
	}

	cmd := exec.Command(exe, "-N", "-f", filepath.Join(dir, "squid.conf"))
	p, err := tb.startExternal(ctx, Squid, cmd, port, func() { os.RemoveAll(dir) })
	if err != nil {
		return nil, err
	}
	p.Roots, err = newCertPool(string(authority.PEM))
	return p, err
}

func writeSquidFiles(dir string, port int, certgen string, authority *origin.Authority, trustFile string) error {
	key, err := x509.MarshalPKCS8PrivateKey(authority.Key)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})

	roots, err := os.ReadFile(trustFile)
	if err != nil {
		return err
	}

	for name, text := range map[string][]byte{
		"ca.pem":     append(bytes.Clone(authority.PEM), keyPEM...),
		"hosts":      []byte("127.0.0.1 " + origin.HostH1 + " " + origin.HostH2 + "\n"),
		"origin.pem": roots,
		"squid.conf": fmt.Appendf(nil, squidConfig, port, dir, certgen),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

const squidConfig = `http_port 127.0.0.1:%[1]d ssl-bump tls-cert=%[2]s/ca.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
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

// chownAll gives a directory to the user as which squid runs. Squid changes its
// user only if root starts it, so for other users there is nothing to do.
func chownAll(dir, username string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(username)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid) // numeric on Unix
	gid, _ := strconv.Atoi(u.Gid)
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}
