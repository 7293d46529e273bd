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

// settings are the command line.
type settings struct {
	setup   report.Setup
	options compare.Options
	byline  string // binary; empty: build one
	out     string // folder for what is not committed
	results string // the page
	atMost  time.Duration
	command string
}

const usage = `Usage: go run ./bench/cmd/bench [flags]

  go run ./bench/cmd/bench                      everything, under ten minutes
  go run ./bench/cmd/bench --quick              everything but the curves, in about two minutes
  go run ./bench/cmd/bench --works small,fresh --peers tunnel,byline

Flags:
`

// parse reads the command line. What is wrong with it was written to w.
func parse(args []string, w io.Writer) (*settings, error) {
	s := &settings{command: strings.TrimSpace("go run ./bench/cmd/bench " + strings.Join(args, " "))}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() {
		fmt.Fprint(w, usage)
		f.PrintDefaults()
	}
	quick := f.Bool("quick", false, "small and short: shows that everything works; the page goes to the --out folder")
	rounds := f.Int("rounds", 5, "how often everything is measured")
	length := f.Duration("length", time.Second, "of one slice")
	big := f.Int64("big", 1<<30, "bytes of one body down or up; figures are always for one GiB")
	agents := f.Int("agents", 32, "that work at the same time")
	tasks := f.Int("tasks", 0, "that Byline's agents have between them, one account each; 0: one for each agent")
	idle := f.String("idle", "1000,10000", "numbers of idle tunnels, by commas, beyond 1000 for byline alone; empty: none")
	works := f.String("works", "", "some of small,fresh,resumed,down,up,h2,h2-h2; empty: all")
	peers := f.String("peers", strings.Join([]string{peer.Tunnel, peer.Byline, peer.Wire, peer.Fasthttp, peer.GoproxyRaised, peer.Goproxy, peer.Squid, peer.Mitmproxy}, ","), "proxies to compare; before=/path/byline is another build of Byline")
	stream := f.Int64("stream", 10<<30, "bytes of one body down and one up through Byline, with its memory watched; 0: none")
	latency := f.Duration("latency", 2*time.Second, "of one open loop at half of Byline's capacity, five for each proxy; 0: none")
	growth := f.Duration("growth", 500*time.Millisecond, "of one slice of the curves that show how Byline's cost grows; 0: none")
	f.IntVar(&s.setup.ProxyCore, "proxy-core", min(1, runtime.NumCPU()-1), "core of the proxy; -1: any")
	f.IntVar(&s.setup.LoadCore, "load-core", 0, "core of generator and origin; -1: any")
	f.StringVar(&s.byline, "byline", "", "byline binary; empty: build ./cmd/byline")
	f.StringVar(&s.out, "out", "bench/out", "folder for raw figures and what peers write; the disk under it is what records wait for")
	f.StringVar(&s.results, "results", "", "where the page goes; empty: bench/RESULTS.md")
	f.DurationVar(&s.atMost, "at-most", 15*time.Minute, "the run is cut off then")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if *quick {
		*rounds, *length, *big = 2, 400*time.Millisecond, 32<<20
		*latency, *growth = *latency/4, 0
		*stream = min(*stream, 256<<20)
		if *idle == "1000,10000" {
			*idle = "200"
		}
	}
	if *tasks == 0 {
		*tasks = *agents
	}
	if s.results == "" {
		s.results = "bench/RESULTS.md"
		if *quick {
			s.results = filepath.Join(s.out, "RESULTS.md")
		}
	}
	s.setup.Rounds, s.setup.Length, s.setup.BigBytes, s.setup.Agents, s.setup.Tasks, s.setup.Quick = *rounds, *length, *big, *agents, *tasks, *quick
	s.options.Latency, s.options.Growth, s.options.Stream = *latency, *growth, *stream
	err := s.choose(*works, *peers, *idle)
	if err != nil {
		fmt.Fprintln(w, "bench:", err)
	}
	return s, err
}

// choose fills the run's options and checks them.
func (s *settings) choose(works, peers, idle string) error {
	o := &s.options
	o.Rounds, o.Length, o.BigBytes, o.Agents, o.IdleOthers = s.setup.Rounds, s.setup.Length, s.setup.BigBytes, s.setup.Agents, 1000
	o.Works, o.Peers = list(works), list(peers)
	o.Guests = []string{peer.Wire, peer.Fasthttp, peer.Goproxy, peer.GoproxyRaised, peer.Squid, peer.Mitmproxy, peer.TunnelBuffered}
	o.NotIdle = []string{peer.Goproxy, peer.Mitmproxy, peer.TunnelBuffered, peer.Fasthttp}
	for _, n := range list(idle) {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			return fmt.Errorf("--idle: %q is no number of tunnels", n)
		}
		s.options.Idle = append(s.options.Idle, count)
	}
	known := []string{peer.Tunnel, peer.TunnelBuffered, peer.Byline, peer.Goproxy, peer.GoproxyRaised, peer.Fasthttp, peer.Wire, peer.Squid, peer.Mitmproxy}
	for _, p := range s.options.Peers {
		if label, exe, other := strings.Cut(p, "="); other && label != "" && exe != "" && !slices.Contains(known, label) {
			continue
		}
		if !slices.Contains(known, p) {
			return fmt.Errorf("--peers: there is no %q; there are %s", p, strings.Join(known, ", "))
		}
	}
	if !s.has(peer.Tunnel) {
		return errors.New("--peers: tunnel must be among them, it is the base of every ratio")
	}
	if s.setup.Rounds < 1 || s.setup.Length <= 0 || s.setup.BigBytes < 1 || s.setup.Agents < 1 || s.setup.Tasks < 0 || o.Stream < 0 {
		return errors.New("--rounds, --length, --big and --agents must be positive, --stream and --tasks at least 0")
	}
	_, err := compare.Works(s.options)
	return err
}

func (s *settings) has(name string) bool { return slices.Contains(s.options.Peers, name) }

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
