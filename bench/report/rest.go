package report

import (
	"fmt"

	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/rounds"
)

// idleBudget is what an idle intercepted tunnel may hold, in KB.
const idleBudget = 36

func (p *page) idle() {
	if len(p.Outcome.Idle) == 0 {
		return
	}
	p.printf("## Idle tunnels\n\nResident memory of a fresh process; each tunnel carried one request. Budget for byline: 36 KB each, all of it back after they close.\n\n")
	t := NewTable("proxy", "tunnels", "KB each", "MiB still held after closing twice", "KB each more when opened again")
	for _, i := range p.Outcome.Idle {
		if i.Failed != "" {
			t.Add(i.Peer, fmt.Sprint(i.Tunnels), "failed: "+brief(i.Failed))
			continue
		}
		t.Add(i.Peer, fmt.Sprint(i.Tunnels), figure(i.Each/1e3), figure(i.Left/(1<<20)), figure(i.Again/1e3))
	}
	p.table(t)
	p.picture("idle tunnels", "idle.svg")
	for _, i := range p.Outcome.Idle {
		if i.Peer == peer.Byline && i.Failed == "" {
			p.printf("%s\n\n", verdict(idleBudget, i.Each/1e3, fmt.Sprintf("KB at %d tunnels", i.Tunnels)))
		}
	}
	p.printf("Byline gives memory back in quiet moments; Go by itself returns it to the system over minutes, so what is held seconds after closing is no leak by itself; what a second filling takes on top is.\n\n")
}

// latency is an open loop at half of what Byline reached in a closed one.
func (p *page) latency() {
	all := p.Outcome.Latency
	if len(all) == 0 {
		return
	}
	p.printf("## Latency\n\nOpen loop, %.0f small requests a second: half of what Byline did in the closed loop. A request counts from when it was due. "+
		"`+` is what is added to the tunnel.\n\n", all[0].Rate)
	t := NewTable("proxy", "p50 ms", "+", "p99 ms", "+", "p99.9 ms", "+", "rate reached", "proxy's core", "records a group", "µs a sync")
	for _, l := range all {
		if l.Failed != "" {
			t.Add(l.Peer, "failed: "+brief(l.Failed))
			continue
		}
		cells := []string{l.Peer}
		for _, v := range [][2]float64{{l.P50, all[0].P50}, {l.P99, all[0].P99}, {l.P999, all[0].P999}} {
			more := "–"
			if l.Peer != peer.Tunnel {
				more = figure((v[0] - v[1]) / 1e3)
			}
			cells = append(cells, figure(v[0]/1e3), more)
		}
		cells = append(cells, figure(l.Done), part(l.Busy))
		if l.Group > 0 {
			cells = append(cells, figure(l.Group), figure(l.SyncUS))
		}
		t.Add(cells...)
	}
	p.table(t)
	p.picture("latency", "latency.svg")
	p.printf("What the durable record costs is the difference between the last two rows: the same walk, the same records, the same chain, but no disk to wait for. " +
		"A request waits for the group that its intent is in (`audit.commit_every` and one fdatasync); outcomes are waited for by nobody.\n\n")
}

// recorded is what group commits looked like in each work.
func (p *page) recorded() {
	t := NewTable("work", "records a second", "records a group", "µs a sync")
	n := 0
	for _, w := range p.Outcome.Works {
		row := p.Outcome.Row(w.Key, peer.Byline)
		if row == nil || len(row.Samples) == 0 {
			continue
		}
		group := row.Series(func(s rounds.Sample) float64 { return s.Records / max(1, s.Groups) })
		each := row.Series(func(s rounds.Sample) float64 { return s.Records / float64(s.Units) * s.Rate })
		t.Add(w.Key, figure(each.Median()), figure(group.Median()), figure(row.Series(func(s rounds.Sample) float64 { return s.SyncUS }).Median()))
		n++
	}
	if n > 0 {
		p.printf("## The durable record\n\nTwo records a request, one wait for the disk a group.\n\n")
		p.table(t)
	}
}

// growth shows whether cost stays flat.
func (p *page) growth() {
	if len(p.Outcome.Growth) == 0 {
		return
	}
	p.printf("## Cost as work grows\n\nµs of Byline's CPU time for a small request, each point on a fresh server.\n\n")
	for i, c := range p.Outcome.Growth {
		columns, cells := []string{c.What}, []string{"µs a request"}
		first, last := 0.0, 0.0
		for _, pt := range c.Points {
			columns = append(columns, fmt.Sprint(pt.Size))
			if pt.Failed != "" {
				cells = append(cells, "failed: "+brief(pt.Failed))
				continue
			}
			cells = append(cells, figure(pt.CPU))
			if first == 0 {
				first = pt.CPU
			}
			last = pt.CPU
		}
		t := NewTable(columns...)
		t.Add(cells...)
		p.table(t)
		p.printf("%s\n\n", grows(first, last))
		p.picture(c.What, growthFile(i))
	}
	p.printf("One agent alone pays for a wake-up and a wait for the disk of its own with every request; many share them. " +
		"What thousands of agents add is cache misses: each has a TLS connection, a goroutine and kernel buffers of its own, and the tunnel pays for the last of these too.\n\n")
}

// grows says what a curve does from its first point to its last.
func grows(first, last float64) string {
	switch {
	case first == 0:
		return ""
	case last > 1.25*first:
		return fmt.Sprintf("It **rises** by %s from the first point to the last.", part(last/first-1))
	case last < first/1.25:
		return fmt.Sprintf("It falls by %s from the first point to the last.", part(1-last/first))
	}
	return "It is flat within a quarter."
}

func (p *page) whereItGoes() {
	p.printf("## Where Byline's time goes\n\n")
	found := p.Outcome.Profile
	if found == nil {
		p.printf("No profile: %s.\n\n", p.Outcome.NoProfile)
		return
	}
	p.printf("Work `%s`, %d samples of the proxy process by `perf record` in a slice of its own.\n\n", p.Outcome.Works[0].Key, found.Samples)
	t := NewTable("where", "part of CPU time")
	for _, s := range found.Places {
		t.Add(s.Name, fmt.Sprintf("%.1f %%", s.Percent))
	}
	p.table(t)
	if len(found.Steps) > 0 {
		p.printf("The same samples by step, everything that a step calls included, the kernel too:\n\n")
		t = NewTable("function", "part of CPU time")
		for _, s := range found.Steps {
			t.Add("`"+s.Name+"`", fmt.Sprintf("%.1f %%", s.Percent))
		}
		p.table(t)
	}
}

func (p *page) method() {
	p.printf(`## How it was measured

- Figures are CPU time, user and system, of the proxy process over the units of a slice, read from the process's own clock
  (nanoseconds). Kernel work for loopback TCP is done by whoever sends, in every peer alike.
- Just before each slice a fixed job (pipe and AES-GCM, 1 KiB a turn) runs on the proxy's core; the figure is multiplied by
  the job's median of the run over its time then (%.1f ms here). ± is half of largest minus smallest round, in parts of the
  median. Trust ratios to about 10 %%.
- Each round does every work through every proxy in turn, starting with another proxy each time. Ratios are taken round by round.
- The loop is closed: an agent asks again when it has its answer. p50 and p99 are what agents then see, not a latency at a given rate.
- TLS 1.3 on both sides, certificates verified by agents and proxies, P-256 leaves. Agents send a person's session cookie. The
  origin counts whose session each request carries: a slice fails when one through Byline arrives with the person's, or
  without an account's.
- goproxy has a P-256 authority and a certificate store here, which is kinder than its defaults; it changes nothing and records nothing.
- goproxy, Squid and mitmproxy are measured in every other round, with bodies of a quarter of a GiB.
- "resumed" is the part of the agents' TLS handshakes that resumed a session. Through a tunnel they resume with the origin.
`, p.yard*1e3)
	for _, n := range p.Outcome.Notes {
		p.printf("- %s\n", n)
	}
}
