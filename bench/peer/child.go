// Package peer starts the proxies that the bench compares, each a process of
// its own on its own core, so that what it costs can be read from outside. The
// peers that are not Byline, and the origin, are children of the bench's own
// binary.
package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/bench/origin"
)

// ChildCommand is the first argument that makes a bench binary a child.
const ChildCommand = "child"

// The kinds of children that are proxies.
const (
	Tunnel         = "tunnel"          // copies bytes with splice(2)
	TunnelBuffered = "tunnel-buffered" // copies bytes through buffers of its own
	Goproxy        = "goproxy"         // stock
	GoproxyRaised  = "goproxy-raised"  // idle connections raised
	Fasthttp       = "fasthttp"        // bare interception on fasthttp's server and client
	Wire           = "wire"            // bare interception on Byline's own wire
)

// Ready is the line that a child writes when it may be used.
type Ready struct {
	Addr     string `json:"addr"`
	AddrH2   string `json:"addr_h2,omitempty"`  // origin only
	Roots    string `json:"roots,omitempty"`    // PEM of what agents must trust beyond the origin
	Borrowed string `json:"borrowed,omitempty"` // origin only
}

// names maps the hosts that agents ask for to addresses: the bench asks no
// resolver.
type names map[string]string

// String and Set make names a flag.Value: host=address, as often as needed.
func (n names) String() string { return fmt.Sprint(map[string]string(n)) }

func (n names) Set(pair string) error {
	host, addr, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("%q is not host=address", pair)
	}
	n[host] = addr
	return nil
}

// addr finds the address of an authority, host:port.
func (n names) addr(authority string) (string, error) {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		return "", err
	}
	if addr, ok := n[host]; ok {
		return addr, nil
	}
	return "", fmt.Errorf("no address for %q", host)
}

// RunChild is the main function of a child: its kind, and then flags. It
// writes one Ready line to out, answers each line "counts" on in with the
// origin's counts, and returns when in ends, so that no child outlives the bench.
func RunChild(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("child: no kind")
	}
	to := names{}
	flags := flag.NewFlagSet("child", flag.ContinueOnError)
	flags.Var(to, "to", "host=address")
	trust := flags.String("trust", "", "PEM file of the origin's authority")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := RaiseFileLimit(); err != nil {
		return err
	}
	var ready Ready
	var seen func() origin.Counts
	var err error
	switch kind := args[0]; kind {
	case "origin":
		o, err := origin.Start()
		if err != nil {
			return err
		}
		defer o.Close()
		ready, seen = Ready{Addr: o.Addr, AddrH2: o.AddrH2, Roots: string(o.RootPEM), Borrowed: o.Borrowed}, o.Counts
	case Tunnel, TunnelBuffered:
		ready.Addr, err = serveTunnel(to, kind == TunnelBuffered)
	case Goproxy, GoproxyRaised:
		ready, err = serveGoproxy(to, *trust, kind == GoproxyRaised)
	case Fasthttp, Wire:
		ready, err = serveBare(to, *trust, kind)
	default:
		err = fmt.Errorf("child: no kind %q", kind)
	}
	if err != nil {
		return err
	}
	return converse(ready, seen, in, out)
}

func converse(ready Ready, seen func() origin.Counts, in io.Reader, out io.Writer) error {
	answers := json.NewEncoder(out)
	if err := answers.Encode(ready); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() == "counts" && seen != nil {
			if err := answers.Encode(seen()); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// RaiseFileLimit lets the process, and what it starts, open as many
// connections as it may.
func RaiseFileLimit() error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	const enough = 1 << 17
	if l.Cur >= enough {
		return nil
	}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: enough, Max: max(enough, l.Max)}) == nil {
		return nil // root may go beyond the hard limit
	}
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	return nil
}
