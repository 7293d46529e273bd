package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// idleBudget is what an idle intercepted tunnel may hold, in KB.
const idleBudget = 36

func (p *page) idle() {
	if len(p.Outcome.Idle) == 0 {
		return
	}
	p.printf("## Idle tunnels\n\nResident memory of a fresh process; each tunnel carried one request. Budget for byline: 36 KB each, all of it back after they close.\n\n")
	t := NewTable("proxy", "tunnels", "KB each", "given back", "MiB still held", "KB each more when opened again")
	for _, i := range p.Outcome.Idle {
		if i.Failed != "" {
			t.Add(i.Peer, fmt.Sprint(i.Tunnels), "failed: "+brief(i.Failed))
			continue
		}
		t.Add(i.Peer, fmt.Sprint(i.Tunnels), figure(i.Each/1e3), part(i.Back()), figure(i.Left/(1<<20)), figure(i.Again/1e3))
	}
	p.table(t)
	p.picture("idle tunnels", "idle.svg")
	for _, i := range p.Outcome.Idle {
		if i.Peer == peer.Byline && i.Failed == "" {
			p.printf("%s Three seconds after they were closed for the second time %s of it was given back, and opened again they took %s KB each more.\n\n",
				verdict(idleBudget, i.Each/1e3, fmt.Sprintf("KB at %d tunnels", i.Tunnels)), part(i.Back()), figure(i.Again/1e3))
		}
	}
	p.printf("Byline gives memory back in quiet moments, once it is worth it. Go by itself returns memory to the system over minutes, so what is held seconds after closing is no leak by itself: what a second filling takes on top is.\n\n")
}

// streamBudget is how much Byline may grow by while one body goes through.
const streamBudget = 64 << 20

// streams is what one large body does to Byline's memory.
func (p *page) streams() {
	all := p.Outcome.Streams
	if len(all) == 0 {
		return
	}
	p.printf("## One large body\n\nA fresh Byline carries one body over HTTP/1.1; agent and application count its bytes. Resident memory of the proxy in MiB: before, "+
		"at its highest meanwhile, and three seconds after. Budget: less than %d MiB of growth.\n\n", streamBudget>>20)
	t := NewTable("body", "GiB", "seconds", "s of CPU a GiB", "MiB before", "at its highest", "growth", "after")
	mib := func(n int64) string { return figure(float64(n) / (1 << 20)) }
	var verdicts strings.Builder
	for _, s := range all {
		size := figure(float64(s.Bytes) / (1 << 30))
		if s.Failed != "" {
			t.Add(s.Way, size, "failed: "+brief(s.Failed))
			continue
		}
		t.Add(s.Way, size, figure(s.Seconds), figure(s.CPU), mib(s.Before), mib(s.Peak), mib(s.Growth()), mib(s.After))
		said := "kept"
		if s.Growth() >= streamBudget {
			said = "missed"
		}
		fmt.Fprintf(&verdicts, "Budget %d MiB: **%s**, %s GiB %s made it grow by %s MiB.\n\n", streamBudget>>20, said, size, s.Way, mib(s.Growth()))
	}
	p.table(t)
	p.printf("%s", verdicts.String())
}

// latency is an open loop at half of what Byline reached in a closed one.
func (p *page) latency() {
	all := p.Outcome.Latency
	if len(all) == 0 {
		return
	}
	p.printf("## Latency\n\nOpen loop, %.0f small requests a second: half of what Byline did in the closed loop. A request counts from when it was due, so that waiting behind a slow one is in it. "+
		"Medians of %d rounds; `+` is what is added to the tunnel.\n\n", all[0].Rate, len(all[0].P50))
	t := NewTable("proxy", "p50 ms", "±", "+", "p99 ms", "±", "+", "p99.9 ms", "±", "+", "rate reached", "µs of CPU a request", "proxy's core")
	for _, l := range all {
		if l.Failed != "" {
			t.Add(l.Peer, "failed: "+brief(l.Failed))
			continue
		}
		cells := []string{l.Peer}
		for _, v := range [][2]measure.Series{{l.P50, all[0].P50}, {l.P99, all[0].P99}, {l.P999, all[0].P999}} {
			more := "–"
			if l.Peer != peer.Tunnel {
				more = figure((v[0].Median() - v[1].Median()) / 1e3)
			}
			cells = append(cells, figure(v[0].Median()/1e3), spread(v[0]), more)
		}
		t.Add(append(cells, figure(l.Done.Median()), figure(l.CPU.Median()), part(l.Busy.Median()))...)
	}
	p.table(t)
	p.picture("latency", "latency.svg")
	p.onItsOwn(all)
}

// onItsOwn is what the durable record costs at that rate: Byline with a disk
// under its records less Byline without.
func (p *page) onItsOwn(all []compare.Latency) {
	find := func(name string) *compare.Latency {
		for i := range all {
			if all[i].Peer == name && all[i].Failed == "" && len(all[i].P50) > 0 {
				return &all[i]
			}
		}
		return nil
	}
	disk, memory := find(peer.Byline), find(compare.InMemory)
	if disk == nil || memory == nil {
		return
	}
	p.printf("### The durable record on its own\n\nThe same walk, the same records and the same chain, with the disk under the records and without one to wait for.\n\n")
	t := NewTable("records", "groups a second", "records a group", "µs a sync", "p50 ms", "p99 ms", "p99.9 ms", "µs of CPU a request")
	for _, l := range []*compare.Latency{disk, memory} {
		where := "on the disk"
		if l == memory {
			where = "in memory"
		}
		t.Add(where, figure(l.Groups.Median()), figure(l.Group.Median()), figure(l.SyncUS.Median()),
			figure(l.P50.Median()/1e3), figure(l.P99.Median()/1e3), figure(l.P999.Median()/1e3), figure(l.CPU.Median()))
	}
	less := func(a, b measure.Series, unit float64) string { return figure((a.Median() - b.Median()) / unit) }
	t.Add("*the wait for the disk*", "", "", less(disk.SyncUS, memory.SyncUS, 1), less(disk.P50, memory.P50, 1e3), less(disk.P99, memory.P99, 1e3),
		less(disk.P999, memory.P999, 1e3), less(disk.CPU, memory.CPU, 1))
	p.table(t)
	p.printf("A request waits until the group that its intent is in is durable: for the sync under way (a group has one), then for its own. While several wait for each group there are `audit.commit_every` " +
		"between two, so that groups grow; one that waits alone is not held back. Outcomes are in groups too, and nobody waits for them. The last row is the difference of medians.\n\n")
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
		group := row.Series(func(s compare.Sample) float64 { return s.Records / max(1, s.Groups) })
		each := row.Series(func(s compare.Sample) float64 { return s.Records / float64(s.Units) * s.Rate })
		t.Add(w.Key, figure(each.Median()), figure(group.Median()), figure(row.Series(func(s compare.Sample) float64 { return s.SyncUS }).Median()))
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
	p.printf("## Cost as work grows\n\nµs of Byline's CPU time for a small request, each point on a fresh server, the points of a curve in turn. The floor is normalised here like the rest.\n\n")
	for i, c := range p.Outcome.Growth {
		columns, cells, wide, least := []string{c.What}, []string{"µs a request"}, []string{"±"}, []string{"floor"}
		var some []compare.Point
		for _, pt := range c.Points {
			columns = append(columns, fmt.Sprint(pt.Size))
			if pt.Failed != "" {
				cells, wide, least = append(cells, "failed: "+brief(pt.Failed)), append(wide, ""), append(least, "")
				continue
			}
			cells, least = append(cells, figure(pt.CPU.Median())), append(least, figure(floor(pt.CPU)))
			once := "once"
			if len(pt.CPU) > 1 {
				once = spread(pt.CPU)
			}
			wide = append(wide, once)
			some = append(some, pt)
		}
		t := NewTable(columns...)
		t.Add(cells...)
		t.Add(wide...)
		t.Add(least...)
		p.table(t)
		p.printf("%s\n\n", grows(some))
		p.picture(c.What, growthFile(i))
	}
	p.printf("One agent alone pays for a wake-up and a wait for the disk of its own with every request; many share them. " +
		"What thousands of agents add is cache misses: each has a TLS connection, a goroutine and kernel buffers of its own, and the tunnel pays for the last of these too.\n\n")
}

// grows says what a curve does from its first point to its last, and whether
// the rounds of the two agree on it.
func grows(points []compare.Point) string {
	if len(points) < 2 {
		return ""
	}
	first, last := points[0].CPU, points[len(points)-1].CPU
	change := last.Median()/first.Median() - 1
	apart := floor(last) > first.Quantile(1) || last.Quantile(1) < floor(first)
	said := "It is flat within a quarter."
	switch {
	case change > 0.25:
		said = fmt.Sprintf("It **rises** by %s from the first point to the last.", part(change))
	case change < -0.2:
		said = fmt.Sprintf("It falls by %s from the first point to the last.", part(-change))
	default:
		return said + fromCheapest(points)
	}
	if !apart {
		said += " Their rounds overlap, so that this may be noise."
	}
	return said + fromCheapest(points)
}

// fromCheapest says what a curve that begins with a fall does after it.
func fromCheapest(points []compare.Point) string {
	last := points[len(points)-1]
	cheapest := slices.MinFunc(points, func(a, b compare.Point) int { return cmp.Compare(a.CPU.Median(), b.CPU.Median()) })
	more := last.CPU.Median()/cheapest.CPU.Median() - 1
	if cheapest.Size == points[0].Size || more <= 0.25 {
		return ""
	}
	return fmt.Sprintf(" From the cheapest point, %d, to the last it rises by %s.", cheapest.Size, part(more))
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
  the job's median of the run over its time then (%.1f ms here, ± %s). Floors are not multiplied. Trust ratios to about 10 %%.
- Each round does every work through every proxy in turn, starting with another proxy each time. Ratios are taken round by round.
- The loop is closed: an agent asks again when it has its answer. p50 and p99 are what agents then see, not a latency at a given rate.
- TLS 1.3 on both sides, certificates verified by agents and proxies, P-256 leaves. Agents send a person's session cookie. The
  origin counts whose session each request carries: a slice fails when one through Byline arrives with the person's, or
  without an account's.
- goproxy has a P-256 authority and a certificate store here, which is kinder than its defaults; it changes nothing and records nothing.
- Everybody is measured in every round. Slices of all but the tunnel and Byline are half as long, their bodies an eighth;
  figures are for a whole GiB all the same.
- "proxy's core" and "other core" are the parts of these that the proxy, and generator and origin, used. "limit" says which of
  them was full; where neither was, agents waited: for the disk, for wake-ups, or for other programs on the machine.
- Idle tunnels are opened through all peers at the same time, sixteen at a time through each: memory is what counts there.
- "resumed" is the part of the agents' TLS handshakes that resumed a session. Through a tunnel they resume with the origin.
`, p.yard*1e3, part(p.Outcome.Yards().Spread()))
	for _, n := range p.Outcome.Notes {
		p.printf("- %s\n", n)
	}
}
