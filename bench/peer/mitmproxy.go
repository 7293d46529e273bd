package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/byline-proxy/byline/bench/origin"
)

// startMitmproxy starts mitmdump with a small script that resolves the names of
// the origin; agents ask for the port of the origin. A script that changes the
// address of each connection would not do: mitmproxy then reuses no connection,
// opens one per request, and stops answering an agent that has five.
func (tb *Testbed) startMitmproxy(ctx context.Context, trustFile string) (*Peer, error) {
	exe, err := exec.LookPath("mitmdump")
	if err != nil {
		return nil, ErrNotInstalled
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tb.Dir, "mitmproxy-")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "resolve.py")
	if err := os.WriteFile(script, fmt.Appendf(nil, resolveScript, origin.HostH1, origin.HostH2), 0o600); err != nil {
		return nil, err
	}

	cmd := exec.Command(exe, "--quiet",
		"--listen-host", "127.0.0.1",
		"--listen-port", strconv.Itoa(port),
		"--set", "confdir="+dir,
		"--set", "ssl_verify_upstream_trusted_ca="+trustFile,
		"--set", "connection_strategy=lazy",
		"--set", "upstream_cert=false",
		"--set", "flow_detail=0",
		"--set", "stream_large_bodies=1m",
		"-s", script)
	p, err := tb.startExternal(ctx, Mitmproxy, cmd, port, nil)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(dir, "mitmproxy-ca-cert.pem"))
	if err == nil {
		p.Roots, err = newCertPool(string(root))
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

const resolveScript = `import socket

original = socket.getaddrinfo

def getaddrinfo(host, *args, **kwargs):
    return original("127.0.0.1" if host in (%q, %q) else host, *args, **kwargs)

socket.getaddrinfo = getaddrinfo
`
