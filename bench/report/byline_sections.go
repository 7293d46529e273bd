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

// Budgets besides those of the workloads.
const (
	idleBudget      = 36       // KB that an idle intercepted tunnel may use
	largeBodyBudget = 64 << 20 // bytes by which Byline may grow during one large body
)

// writeIdle writes the memory of idle tunnels.
func (p *page) writeIdle() {
	if len(p.Outcome.Idle) == 0 {
		return
	}
	p.printf("## Idle tunnels\n\nResident memory of a fresh process. Each tunnel carried one request before. Budget for byline: %d KB per tunnel, all of it returned after the tunnels are closed.\n\n", idleBudget)
	t := NewTable("proxy", "tunnels", "KB each", "returned", "MiB still held", "KB each more when reopened")
	for _, i := range p.Outcome.Idle {
		if i.Failed != "" {
			t.Add(i.Peer, fmt.Sprint(i.Tunnels), "failed: "+shortError(i.Failed))
			continue
		}
		t.Add(i.Peer, fmt.Sprint(i.Tunnels), formatFigure(i.BytesEach/1e3), formatShare(i.ReturnedShare()), formatFigure(i.BytesLeft/(1<<20)), formatFigure(i.MoreBytesEach/1e3))
	}
	p.writeTable(t)
	p.writeChart("idle tunnels", "idle.svg")

	for _, i := range p.Outcome.Idle {
		if i.Peer == peer.Byline && i.Failed == "" {
			p.printf("%s Three seconds after they were closed for the second time, %s of it had been returned; when reopened, they used %s KB each more.\n\n",
				verdict(idleBudget, i.BytesEach/1e3, fmt.Sprintf("KB at %d tunnels", i.Tunnels)), formatShare(i.ReturnedShare()), formatFigure(i.MoreBytesEach/1e3))
		}
	}
	p.printf("Byline returns memory to the system in quiet moments, if there is enough of it. Go alone returns memory over minutes, so memory that is still held seconds after the tunnels are closed is not necessarily a leak; memory that reopened tunnels use in addition is.\n\n")
}

// writeLargeBodies writes what one large body does to Byline's memory.
func (p *page) writeLargeBodies() {
	if len(p.Outcome.LargeBodies) == 0 {
		return
	}

	p.printf("## One large body\n\nA fresh Byline transfers one body over HTTP/1.1; agent and application count its bytes. The table shows the resident memory of the proxy in MiB: before, "+
		"at its peak during the transfer, and three seconds after it. Budget: less than %d MiB of growth.\n\n", largeBodyBudget>>20)

	t := NewTable("body", "GiB", "seconds", "s of CPU a GiB", "MiB before", "peak", "growth", "after")
	mib := func(bytes int64) string { return formatFigure(float64(bytes) / (1 << 20)) }
	var verdicts strings.Builder

	for _, b := range p.Outcome.LargeBodies {
		size := formatFigure(float64(b.Bytes) / (1 << 30))
		if b.Failed != "" {
			t.Add(b.Direction, size, "failed: "+shortError(b.Failed))
			continue
		}
		t.Add(b.Direction, size, formatFigure(b.Seconds), formatFigure(b.CPU), mib(b.Before), mib(b.Peak), mib(b.Growth()), mib(b.After))

		result := "kept"
		if b.Growth() >= largeBodyBudget {
			result = "missed"
		}
		fmt.Fprintf(&verdicts, "Budget %d MiB: **%s**, %s GiB %s made it grow by %s MiB.\n\n", largeBodyBudget>>20, result, size, b.Direction, mib(b.Growth()))
	}

	p.writeTable(t)
	p.printf("%s", verdicts.String())
}

// writeRecords writes what Byline recorded in each workload.
func (p *page) writeRecords() {
	t := NewTable("work", "records a second", "records a group", "µs a sync")
	measured := false
	for _, w := range p.Outcome.Workloads {
		row := p.Outcome.Row(w.Key, peer.Byline)
		if row == nil || len(row.Samples) == 0 {
			continue
		}
		perSecond := row.Series(func(s compare.Sample) float64 { return s.Records / float64(s.Units) * s.Rate })
		perGroup := row.Series(func(s compare.Sample) float64 { return s.Records / max(1, s.Groups) })
		sync := row.Series(func(s compare.Sample) float64 { return s.SyncUS })
		t.Add(w.Key, formatFigure(perSecond.Median()), formatFigure(perGroup.Median()), formatFigure(sync.Median()))
		measured = true
	}
	if measured {
		p.printf("## The durable record\n\nTwo records per request, one sync per group commit.\n\n")
		p.writeTable(t)
	}
}

// writeLatency writes the open loops at half of the rate that Byline reached in
// the closed loop.
func (p *page) writeLatency() {
	all := p.Outcome.Latency
	if len(all) == 0 {
		return
	}

	tunnel := all[0]
	p.printf("## Latency\n\nOpen loop with %.0f small requests a second: half of what Byline did in the closed loop. The latency of a request counts from when it was due, so that it contains the delay after a slow response. "+
		"Medians of %d rounds; `+` is the difference to the tunnel.\n\n", tunnel.Rate, len(tunnel.P50))

	t := NewTable("proxy", "p50 ms", "±", "+", "p99 ms", "±", "+", "p99.9 ms", "±", "+", "rate reached", "µs of CPU a request", "proxy's core")
	for _, l := range all {
		if l.Failed != "" {
			t.Add(l.Peer, "failed: "+shortError(l.Failed))
			continue
		}

		cells := []string{l.Peer}

		for _, percentile := range []struct{ own, tunnel measure.Series }{
			{l.P50, tunnel.P50},
			{l.P99, tunnel.P99},
			{l.P999, tunnel.P999},
		} {
			added := "–"
			if l.Peer != peer.Tunnel {
				added = formatFigure((percentile.own.Median() - percentile.tunnel.Median()) / 1e3)
			}
			cells = append(cells, formatFigure(percentile.own.Median()/1e3), formatSpread(percentile.own), added)
		}

		t.Add(append(cells, formatFigure(l.Reached.Median()), formatFigure(l.CPU.Median()), formatShare(l.Busy.Median()))...)
	}

	p.writeTable(t)
	p.writeChart("latency", "latency.svg")
	p.writeRecordCost()
}

// writeRecordCost writes what durable records cost in the open loop: Byline with
// its records on the disk, compared with Byline with its records in memory.
func (p *page) writeRecordCost() {
	find := func(name string) *compare.Latency {
		for i := range p.Outcome.Latency {
			if l := &p.Outcome.Latency[i]; l.Peer == name && l.Failed == "" && len(l.P50) > 0 {
				return l
			}
		}
		return nil
	}
	disk, memory := find(peer.Byline), find(compare.InMemory)
	if disk == nil || memory == nil {
		return
	}

	p.printf("### What durable records cost\n\nThe same walk, the same records and the same hash chain, with the records on the disk and in memory.\n\n")
	t := NewTable("records", "groups a second", "records a group", "µs a sync", "p50 ms", "p99 ms", "p99.9 ms", "µs of CPU a request")
	for _, where := range []struct {
		name string
		l    *compare.Latency
	}{{"on the disk", disk}, {"in memory", memory}} {
		l := where.l
		t.Add(where.name, formatFigure(l.GroupsPerSecond.Median()), formatFigure(l.RecordsPerGroup.Median()), formatFigure(l.SyncUS.Median()),
			formatFigure(l.P50.Median()/1e3), formatFigure(l.P99.Median()/1e3), formatFigure(l.P999.Median()/1e3), formatFigure(l.CPU.Median()))
	}
	difference := func(a, b measure.Series, unit float64) string { return formatFigure((a.Median() - b.Median()) / unit) }
	t.Add("*waiting for the disk*", "", "",
		difference(disk.SyncUS, memory.SyncUS, 1),
		difference(disk.P50, memory.P50, 1e3),
		difference(disk.P99, memory.P99, 1e3),
		difference(disk.P999, memory.P999, 1e3),
		difference(disk.CPU, memory.CPU, 1))
	p.writeTable(t)
	p.printf("A request waits until the group commit that contains its intent is durable: first for the sync in flight, if there is one, and then for its own. While several requests wait for each group, at least `audit.commit_every` " +
		"passes between two syncs, so that groups grow; a request that waits alone is not delayed. Outcomes are committed in groups too, but nobody waits for them. The last row is the difference of the medians.\n\n")
}

// writeGrowth writes how the cost changes as the load grows.
func (p *page) writeGrowth() {
	if len(p.Outcome.Growth) == 0 {
		return
	}

	p.printf("## Cost as the load grows\n\nByline's CPU time for a small request in µs. Each point has a fresh server; the points of a curve are measured in turn. Here, the floor is normalized too.\n\n")

	for i, curve := range p.Outcome.Growth {
		columns := []string{curve.What}
		medians, spreads, floors := []string{"µs a request"}, []string{"±"}, []string{"floor"}
		var measured []compare.Point

		for _, point := range curve.Points {
			columns = append(columns, fmt.Sprint(point.Size))
			if point.Failed != "" {
				medians = append(medians, "failed: "+shortError(point.Failed))
				spreads = append(spreads, "")
				floors = append(floors, "")
				continue
			}

			spread := "once"
			if len(point.CPU) > 1 {
				spread = formatSpread(point.CPU)
			}

			medians = append(medians, formatFigure(point.CPU.Median()))
			spreads = append(spreads, spread)
			floors = append(floors, formatFigure(minimum(point.CPU)))
			measured = append(measured, point)
		}

		t := NewTable(columns...)
		t.Add(medians...)
		t.Add(spreads...)
		t.Add(floors...)
		p.writeTable(t)
		p.printf("%s\n\n", describeCurve(measured))
		p.writeChart(curve.What, growthFile(i))
	}

	p.printf("A single agent pays for one wake-up and one sync with every request; many agents share them. " +
		"Thousands of agents add cache misses: each has its own TLS connection, goroutine and kernel buffers. The tunnel pays for the kernel buffers too.\n\n")
}

// describeCurve says how the cost changes from the first point to the last, and
// whether the rounds of the two points overlap.
func describeCurve(points []compare.Point) string {
	if len(points) < 2 {
		return ""
	}
	first, last := points[0].CPU, points[len(points)-1].CPU
	change := last.Median()/first.Median() - 1
	overlap := minimum(last) <= first.Quantile(1) && last.Quantile(1) >= minimum(first)
	var text string
	switch {
	case change > 0.25:
		text = fmt.Sprintf("The cost **rises** by %s from the first point to the last.", formatShare(change))
	case change < -0.2:
		text = fmt.Sprintf("The cost falls by %s from the first point to the last.", formatShare(-change))
	default:
		return "The cost is flat within 25 %." + describeRiseFromCheapest(points)
	}
	if overlap {
		text += " The rounds of the two points overlap, so this may be noise."
	}
	return text + describeRiseFromCheapest(points)
}

// describeRiseFromCheapest says how far the cost rises after it has fallen.
func describeRiseFromCheapest(points []compare.Point) string {
	last := points[len(points)-1]
	cheapest := slices.MinFunc(points, func(a, b compare.Point) int { return cmp.Compare(a.CPU.Median(), b.CPU.Median()) })
	rise := last.CPU.Median()/cheapest.CPU.Median() - 1
	if cheapest.Size == points[0].Size || rise <= 0.25 {
		return ""
	}
	return fmt.Sprintf(" From the cheapest point, %d, to the last it rises by %s.", cheapest.Size, formatShare(rise))
}

// writeProfile writes where Byline's CPU time goes.
func (p *page) writeProfile() {
	p.printf("## Where Byline's time goes\n\n")
	profile := p.Outcome.Profile
	if profile == nil {
		p.printf("No profile: %s.\n\n", p.Outcome.NoProfile)
		return
	}
	p.printf("Workload `%s`, %d samples of the proxy process by `perf record` in a separate measurement.\n\n", p.Outcome.Workloads[0].Key, profile.Samples)
	t := NewTable("where", "share of CPU time")
	for _, s := range profile.Places {
		t.Add(s.Name, fmt.Sprintf("%.1f %%", s.Percent))
	}
	p.writeTable(t)
	if len(profile.Functions) > 0 {
		p.printf("The same samples by function. A sample counts for every function of Byline on its stack; the kernel is included:\n\n")
		t = NewTable("function", "share of CPU time")
		for _, s := range profile.Functions {
			t.Add("`"+s.Name+"`", fmt.Sprintf("%.1f %%", s.Percent))
		}
		p.writeTable(t)
	}
}
