package report

import "fmt"

func (p *page) idle() {
	if len(p.Outcome.Idle) == 0 {
		return
	}
	p.printf("## Idle tunnels\n\nResident memory of a fresh process; each tunnel carried one request. Budget for byline: 36 KB each, all of it back after they close.\n\n")
	t := NewTable("proxy", "tunnels", "KB each", "MiB still held after closing twice", "KB each more when opened again")
	for _, i := range p.Outcome.Idle {
		if i.Failed != "" {
			t.Add(i.Peer, fmt.Sprint(i.Tunnels), "failed: "+i.Failed)
			continue
		}
		t.Add(i.Peer, fmt.Sprint(i.Tunnels), figure(i.Each/1e3), figure(i.Left/(1<<20)), figure(i.Again/1e3))
	}
	p.table(t)
	p.printf("Go returns memory to the system over minutes, so what is held seconds after closing is no leak by itself; what a second filling takes on top is.\n\n")
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
- "resumed" is the part of the agents' TLS handshakes that resumed a session. Through a tunnel they resume with the origin.
`, p.yard*1e3)
	for _, n := range p.Outcome.Notes {
		p.printf("- %s\n", n)
	}
}
