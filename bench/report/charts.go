package report

import (
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/peer"
)

// ChartDir is the directory of the charts, next to the page.
const ChartDir = "plots"

// maxRatioDrawn is the highest ratio in a chart. One proxy that is a hundred times
// slower would shrink all other bars to dots.
const maxRatioDrawn = 12

// Charts returns the charts that the page shows, as SVG by file name.
func (r *Run) Charts() map[string]string {
	p := newPage(r)
	charts := map[string]string{}
	for _, w := range r.Outcome.Workloads {
		charts[w.Key+".svg"] = p.workloadChart(w)
	}
	if len(r.Outcome.Idle) > 0 {
		charts["idle.svg"] = p.idleChart()
	}
	if len(r.Outcome.Latency) > 0 {
		charts["latency.svg"] = p.latencyChart()
	}
	for i, curve := range r.Outcome.Growth {
		charts[growthFile(i)] = growthChart(curve)
	}
	return charts
}

func growthFile(i int) string { return fmt.Sprintf("growth-%d.svg", i+1) }

func (p *page) workloadChart(w compare.Workload) string {
	var bars []Bar
	for _, name := range p.Outcome.Peers {
		ratios := p.ratios(w.Key, name)
		if len(ratios) == 0 || ratios.Median() > maxRatioDrawn {
			continue
		}
		bars = append(bars, Bar{
			Name:      name,
			Value:     ratios.Median(),
			Low:       slices.Min(ratios),
			High:      slices.Max(ratios),
			Highlight: name == peer.Byline,
		})
	}
	return BarChart(w.Title, fmt.Sprintf("× the tunnel of the same round; beyond %d not drawn", maxRatioDrawn), bars, w.Budget)
}

func (p *page) idleChart() string {
	var bars []Bar
	for _, i := range p.Outcome.Idle {
		if i.Failed == "" {
			bars = append(bars, Bar{
				Name:      fmt.Sprintf("%s, %d", i.Peer, i.Tunnels),
				Value:     i.BytesEach / 1e3,
				Highlight: i.Peer == peer.Byline,
			})
		}
	}
	return BarChart("Resident memory of an idle tunnel", "KB", bars, idleBudget)
}

func (p *page) latencyChart() string {
	chart := LineChart{Title: "Latency at half of Byline's capacity, open loop", X: "percentile", Y: "ms"}
	for _, l := range p.Outcome.Latency {
		if l.Failed == "" {
			chart.Lines = append(chart.Lines, Line{
				Name: l.Peer,
				X:    []float64{50, 99, 99.9},
				Y:    []float64{l.P50.Median() / 1e3, l.P99.Median() / 1e3, l.P999.Median() / 1e3},
			})
		}
	}
	return chart.SVG()
}

func growthChart(curve compare.Curve) string {
	line := Line{Name: "byline"}
	for _, point := range curve.Points {
		if point.Failed == "" {
			line.X = append(line.X, float64(point.Size))
			line.Y = append(line.Y, point.CPU.Median())
		}
	}
	return LineChart{Title: "Cost of a small request", X: curve.What, Y: "µs of CPU", LogX: true, Lines: []Line{line}}.SVG()
}
