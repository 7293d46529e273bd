package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/peer"
)

// writeSummary writes one table with the ratio of every peer in every workload.
func (p *page) writeSummary() {
	p.printf("## At a glance\n\nCPU time relative to the tunnel in the same round; medians of %d rounds; %s marks a ± over %s.\n\n", p.Setup.Rounds, noisy, formatShare(maxSpread))

	workloads := p.Outcome.Workloads
	columns := []string{"proxy"}
	for _, w := range workloads {
		columns = append(columns, w.Key)
	}

	t := NewTable(columns...)
	for _, name := range p.Outcome.Peers {
		cells := []string{name}
		for _, w := range workloads {
			ratios := p.ratios(w.Key, name)
			cell := formatFigure(ratios.Median())
			if ratios.Spread() > maxSpread {
				cell = noisy + " " + cell
			}
			cells = append(cells, cell)
		}
		t.Add(cells...)
	}

	if p.Outcome.Row(workloads[0].Key, peer.Byline) != nil {
		cells := []string{"*byline, × floors*"}
		for _, w := range workloads {
			cells = append(cells, formatFigure(p.floorRatio(w.Key, peer.Byline)))
		}
		t.Add(cells...)
	}

	budgets := []string{"*budget for byline*"}
	for _, w := range workloads {
		budget := "–"
		if w.Budget > 0 {
			budget = formatFigure(w.Budget)
		}
		budgets = append(budgets, budget)
	}
	t.Add(budgets...)

	p.writeTable(t)

	for _, name := range p.Outcome.Peers {
		p.printf("- `%s`: %s\n", name, cmp.Or(peerDescriptions[name], "another build of Byline"))
	}
	p.printf("\n")
}

// writeWorkload writes the section of one workload.
func (p *page) writeWorkload(w compare.Workload) {
	p.printf("## %s (`%s`)\n\n", w.Title, w.Key)
	t := NewTable(workloadColumns(w)...)
	var remarks []string
	for _, name := range p.Outcome.Peers {
		row := p.Outcome.Row(w.Key, name)
		if row == nil {
			continue
		}
		if row.Failed != "" {
			remarks = append(remarks, fmt.Sprintf("- `%s` failed: %s\n", name, shortError(row.Failed)))
		}
		if row.Skipped != "" {
			remarks = append(remarks, fmt.Sprintf("- `%s` %s\n", name, row.Skipped))
		}
		if len(row.Samples) == 0 {
			t.Add(name, "–")
		} else {
			t.Add(p.workloadCells(w, row)...)
		}
	}
	p.writeTable(t)
	if len(remarks) > 0 {
		p.printf("%s\n", strings.Join(remarks, ""))
	}

	p.writeChart(w.Title, w.Key+".svg")
	ratios := p.ratios(w.Key, peer.Byline)
	if text := verdict(w.Budget, ratios.Median(), "× the tunnel"); text != "" {
		p.printf("%s%s\n\n", text, disagreement(w.Budget, ratios))
	}
}

func workloadColumns(w compare.Workload) []string {
	columns := []string{"proxy", w.Unit, "±", "floor", "× tunnel", "±", "× floors"}
	if w.Body { // a single body has no percentiles
		columns = append(columns, "GiB a second")
	} else {
		columns = append(columns, "a second", "p50 ms", "p99 ms")
	}
	columns = append(columns, "proxy's core", "other core", "limit")
	if w.Opens {
		columns = append(columns, "resumed")
	}
	return columns
}

// workloadCells returns the cells of a row that has samples, in the order of
// workloadColumns.
func (p *page) workloadCells(w compare.Workload, row *compare.Row) []string {
	median := func(figure func(compare.Sample) float64) float64 { return row.Series(figure).Median() }
	cpu := row.NormalizedCPU(p.referenceTime)
	ratios := p.ratios(w.Key, row.Peer)
	busy := median(func(s compare.Sample) float64 { return s.Busy })
	loadBusy := median(func(s compare.Sample) float64 { return s.LoadBusy })

	cells := []string{
		row.Peer,
		formatFigure(cpu.Median()),
		formatSpread(cpu),
		formatFigure(floor(row)),
		formatFigure(ratios.Median()),
		formatSpread(ratios),
		formatFigure(p.floorRatio(w.Key, row.Peer)),
		formatFigure(median(func(s compare.Sample) float64 { return s.Rate })),
	}
	if !w.Body {
		cells = append(cells,
			formatFigure(median(func(s compare.Sample) float64 { return s.P50 })/1e3),
			formatFigure(median(func(s compare.Sample) float64 { return s.P99 })/1e3))
	}
	cells = append(cells, formatShare(busy), formatShare(loadBusy), limitOf(busy, loadBusy))
	if w.Opens {
		cells = append(cells, formatShare(median(func(s compare.Sample) float64 { return s.Resumed })))
	}
	return cells
}

// limitOf says what kept a closed loop from being faster.
func limitOf(busy, loadBusy float64) string {
	const full = 0.9
	switch {
	case busy >= full && loadBusy >= full:
		return "both cores"
	case busy >= full:
		return "proxy's core"
	case loadBusy >= full:
		return "generator and origin"
	}
	return "neither core: waiting"
}
