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

// ChildCommand is the command of a binary that calls [RunChild].
const ChildCommand = "child"

// Ready is the line that a child process writes when it accepts connections.
type Ready struct {
	Addr     string `json:"addr"`
	AddrH2   string `json:"addr_h2,omitempty"`  // only of the origin
	Roots    string `json:"roots,omitempty"`    // PEM of the root that agents must trust; empty if the child does not intercept
	Borrowed string `json:"borrowed,omitempty"` // only of the origin
}

// RunChild is the main function of a child process. args are the kind of the
// child and its flags. RunChild writes one [Ready] line to out, answers each line
// "counts" on in with the counts of the origin, and returns when in ends, so that
// no child outlives the bench.
func RunChild(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("child: the kind is missing")
	}
	hosts := hostTable{}
	flags := flag.NewFlagSet("child", flag.ContinueOnError)
	flags.Var(hosts, "to", "host=address")
	trustFile := flags.String("trust", "", "PEM file of the origin's authority")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := RaiseFileLimit(); err != nil {
		return err
	}

	var ready Ready
	var counts func() origin.Counts
	var err error
	switch kind := args[0]; kind {
	case "origin":
		o, startErr := origin.Start()
		if startErr != nil {
			return startErr
		}
		defer o.Close()
		ready = Ready{Addr: o.Addr, AddrH2: o.AddrH2, Roots: string(o.RootPEM), Borrowed: o.Borrowed}
		counts = o.Counts
	case Tunnel, TunnelBuffered:
		ready.Addr, err = serveTunnel(hosts, kind == TunnelBuffered)
	case Goproxy, GoproxyRaised:
		ready, err = serveGoproxy(hosts, *trustFile, kind == GoproxyRaised)
	case Fasthttp, Wire:
		ready, err = serveInterceptor(hosts, *trustFile, kind)
	default:
		err = fmt.Errorf("child: unknown kind %q", kind)
	}
	if err != nil {
		return err
	}
	return answerQuestions(ready, counts, in, out)
}

func answerQuestions(ready Ready, counts func() origin.Counts, in io.Reader, out io.Writer) error {
	answers := json.NewEncoder(out)
	if err := answers.Encode(ready); err != nil {
		return err
	}
	questions := bufio.NewScanner(in)
	for questions.Scan() {
		if questions.Text() == "counts" && counts != nil {
			if err := answers.Encode(counts()); err != nil {
				return err
			}
		}
	}
	return questions.Err()
}

// hostTable maps host names to addresses, so that the bench needs no resolver. It
// implements [flag.Value]: host=address, any number of times.
type hostTable map[string]string

func (t hostTable) String() string { return fmt.Sprint(map[string]string(t)) }

func (t hostTable) Set(pair string) error {
	host, addr, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("%q is not host=address", pair)
	}
	t[host] = addr
	return nil
}

// addressOf returns the address for an authority, host:port.
func (t hostTable) addressOf(authority string) (string, error) {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		return "", err
	}
	if addr, ok := t[host]; ok {
		return addr, nil
	}
	return "", fmt.Errorf("no address for %q", host)
}

// RaiseFileLimit raises the limit on open files of this process, and of those
// that it starts, as far as it is permitted.
func RaiseFileLimit() error {
	const enough = 1 << 17
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	if limit.Cur >= enough {
		return nil
	}
	// Only root may exceed the hard limit; others raise the soft limit to it.
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: enough, Max: max(enough, limit.Max)}) == nil {
		return nil
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	return nil
}
