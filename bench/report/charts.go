package report

import (
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/peer"
)

// PlotDir is where the pictures lie, beside the page.
const PlotDir = "plots"

// Plots are the pictures that the page shows, by file name.
func (r *Run) Plots() map[string]string {
	p := &page{Run: r, yard: r.Outcome.Yard()}
	all := map[string]string{}
	for _, w := range r.Outcome.Works {
		all[w.Key+".svg"] = p.bars(w)
	}
	if len(r.Outcome.Idle) > 0 {
		all["idle.svg"] = p.idleBars()
	}
	if len(r.Outcome.Latency) > 0 {
		all["latency.svg"] = p.latencyPlot()
	}
	for i, c := range r.Outcome.Growth {
		all[growthFile(i)] = growthPlot(c)
	}
	return all
}

func growthFile(i int) string { return fmt.Sprintf("growth-%d.svg", i+1) }

func (p *page) picture(title, file string) { p.printf("![%s](%s/%s)\n\n", title, PlotDir, file) }

func (p *page) bars(w compare.Work) string {
	var bars []Bar
	for _, name := range p.Outcome.Peers {
		s := p.ratio(w.Key, name)
		if len(s) > 0 {
			bars = append(bars, Bar{Name: name, Value: s.Median(), Low: slices.Min(s), High: slices.Max(s), Mark: name == peer.Byline})
		}
	}
	// one peer that is a hundred times slower would make all others dots
	shown := bars[:0]
	for _, b := range bars {
		if b.Value <= 12 {
			shown = append(shown, b)
		}
	}
	return Bars(w.Title, "× the tunnel of the same round; beyond 12 not drawn", shown, w.Budget)
}

func (p *page) idleBars() string {
	var bars []Bar
	for _, i := range p.Outcome.Idle {
		if i.Failed == "" {
			bars = append(bars, Bar{Name: fmt.Sprintf("%s, %d", i.Peer, i.Tunnels), Value: i.Each / 1e3, Mark: i.Peer == peer.Byline})
		}
	}
	return Bars("Resident memory of an idle tunnel", "KB", bars, idleBudget)
}

func (p *page) latencyPlot() string {
	var lines []Line
	for _, l := range p.Outcome.Latency {
		if l.Failed == "" {
			lines = append(lines, Line{l.Peer, []float64{50, 99, 99.9}, []float64{l.P50.Median() / 1e3, l.P99.Median() / 1e3, l.P999.Median() / 1e3}})
		}
	}
	return Plot{Title: "Latency at half of Byline's capacity, open loop", X: "percentile", Y: "ms", Lines: lines}.SVG()
}

func growthPlot(c compare.Curve) string {
	l := Line{Name: "byline"}
	for _, pt := range c.Points {
		if pt.Failed == "" {
			l.X, l.Y = append(l.X, float64(pt.Size)), append(l.Y, pt.CPU.Median())
		}
	}
	return Plot{Title: "Cost of a small request", X: c.What, Y: "µs of CPU", LogX: true, Lines: []Line{l}}.SVG()
}
