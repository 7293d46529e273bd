package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/report"
)

// settings is the parsed command line.
type settings struct {
	setup   report.Setup
	options compare.Options
	byline  string // binary of Byline; empty: build one
	out     string // directory for files that are not committed
	results string // the page
	maxTime time.Duration
	command string // as it was typed, for the page
}

const usage = `Usage: go run ./bench/cmd/bench [flags]

  go run ./bench/cmd/bench                      everything, in less than ten minutes
  go run ./bench/cmd/bench --quick              everything but the growth curves, in about two minutes
  go run ./bench/cmd/bench --works small,fresh --peers tunnel,byline

Flags:
`

const (
	defaultIdle = "1000,10000"
	resultsFile = "bench/RESULTS.md"
)

var (
	allPeers = []string{peer.Tunnel, peer.TunnelBuffered, peer.Byline, peer.Goproxy, peer.GoproxyRaised,
		peer.Fasthttp, peer.Wire, peer.Squid, peer.Mitmproxy}
	defaultPeers = []string{peer.Tunnel, peer.Byline, peer.Wire, peer.Fasthttp, peer.GoproxyRaised, peer.Goproxy,
		peer.Squid, peer.Mitmproxy}
	lightPeers = []string{peer.Wire, peer.Fasthttp, peer.Goproxy, peer.GoproxyRaised, peer.Squid, peer.Mitmproxy,
		peer.TunnelBuffered}
	noIdlePeers = []string{peer.Goproxy, peer.Mitmproxy, peer.TunnelBuffered, peer.Fasthttp}
)

// parseFlags parses the command line. It reports errors to w before it returns
// them.
func parseFlags(args []string, w io.Writer) (*settings, error) {
	s := &settings{command: strings.TrimSpace("go run ./bench/cmd/bench " + strings.Join(args, " "))}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() {
		fmt.Fprint(w, usage)
		f.PrintDefaults()
	}
	quick := f.Bool("quick", false, "few and short measurements: shows that everything works; the page goes to the --out directory")
	rounds := f.Int("rounds", 5, "how often everything is measured")
	length := f.Duration("length", time.Second, "length of one measurement")
	big := f.Int64("big", 1<<30, "bytes of one large body, in each direction; figures are for one GiB in any case")
	agents := f.Int("agents", 32, "agents that work at the same time")
	tasks := f.Int("tasks", 0, "tasks that Byline's agents share, with one account each; 0: one per agent")
	idle := f.String("idle", defaultIdle, "numbers of idle tunnels, separated by commas; above 1000 only for byline; empty: none")
	works := f.String("works", "", "some of small,fresh,resumed,down,up,h2,h2-h2; empty: all")
	peers := f.String("peers", strings.Join(defaultPeers, ","), "proxies to compare; before=/path/byline is another build of Byline")
	stream := f.Int64("stream", 10<<30, "bytes of one body in each direction through Byline, while its memory is watched; 0: none")
	latency := f.Duration("latency", 2*time.Second, "length of one open loop at half of Byline's capacity, five per proxy; 0: none")
	growth := f.Duration("growth", 500*time.Millisecond, "length of one measurement of the curves that show how Byline's cost grows; 0: none")
	f.IntVar(&s.setup.ProxyCore, "proxy-core", min(1, runtime.NumCPU()-1), "core of the proxy; -1: any")
	f.IntVar(&s.setup.LoadCore, "load-core", 0, "core of generator and origin; -1: any")
	f.StringVar(&s.byline, "byline", "", "binary of Byline; empty: build ./cmd/byline")
	f.StringVar(&s.out, "out", "bench/out", "directory for raw figures and for what proxies write; records wait for the disk under it")
	f.StringVar(&s.results, "results", "", "file for the page; empty: "+resultsFile)
	f.DurationVar(&s.maxTime, "at-most", 15*time.Minute, "time after which the run is interrupted")
	if err := f.Parse(args); err != nil {
		return nil, err
	}

	if *quick {
		*rounds = 2
		*length = 400 * time.Millisecond
		*big = 32 << 20
		*latency /= 4
		*growth = 0
		*stream = min(*stream, 256<<20)
		if *idle == defaultIdle {
			*idle = "200"
		}
	}
	if *tasks == 0 {
		*tasks = *agents
	}
	if s.results == "" {
		s.results = resultsFile
		if *quick {
			s.results = filepath.Join(s.out, "RESULTS.md")
		}
	}

	s.setup.Rounds = *rounds
	s.setup.Length = *length
	s.setup.BigBytes = *big
	s.setup.Agents = *agents
	s.setup.Tasks = *tasks
	s.setup.Quick = *quick
	s.options = compare.Options{
		Rounds:        *rounds,
		Duration:      *length,
		BigBytes:      *big,
		Agents:        *agents,
		Stream:        *stream,
		MaxIdleOthers: 1000,
		LightPeers:    lightPeers,
		NoIdlePeers:   noIdlePeers,
		Latency:       *latency,
		Growth:        *growth,
		Workloads:     splitList(*works),
		Peers:         splitList(*peers),
	}
	err := s.setIdle(*idle)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		fmt.Fprintln(w, "bench:", err)
	}
	return s, err
}

// setIdle parses the numbers of idle tunnels.
func (s *settings) setIdle(text string) error {
	for _, n := range splitList(text) {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			return fmt.Errorf("--idle: %q is not a number of tunnels", n)
		}
		s.options.Idle = append(s.options.Idle, count)
	}
	return nil
}

// check returns the first thing that is wrong.
func (s *settings) check() error {
	for _, name := range s.options.Peers {
		label, exe, isBuild := strings.Cut(name, "=")
		if isBuild && label != "" && exe != "" && !slices.Contains(allPeers, label) {
			continue
		}
		if !slices.Contains(allPeers, name) {
			return fmt.Errorf("--peers: there is no %q; there are %s", name, strings.Join(allPeers, ", "))
		}
	}
	if !s.measures(peer.Tunnel) {
		return errors.New("--peers: tunnel must be one of them, because it is the base of every ratio")
	}
	positive := s.setup.Rounds >= 1 && s.setup.Length > 0 && s.setup.BigBytes >= 1 && s.setup.Agents >= 1
	if !positive || s.setup.Tasks < 0 || s.options.Stream < 0 {
		return errors.New("--rounds, --length, --big and --agents must be positive, --stream and --tasks at least 0")
	}
	_, err := compare.Workloads(s.options)
	return err
}

// measures reports whether a peer is to be measured.
func (s *settings) measures(name string) bool { return slices.Contains(s.options.Peers, name) }

// splitList splits a list at its commas. It returns nil for "".
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
