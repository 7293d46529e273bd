package report

import (
	"fmt"
	"math"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// ratios returns how many times the tunnel's CPU time a peer uses, one value per
// round in which both were measured.
func (p *page) ratios(workload, name string) measure.Series {
	row, base := p.Outcome.Row(workload, name), p.Outcome.Row(workload, peer.Tunnel)
	if row == nil || base == nil {
		return nil
	}
	var ratios measure.Series
	for _, s := range row.Samples {
		for _, b := range base.Samples {
			if s.Round == b.Round && b.CPU > 0 {
				ratios = append(ratios, s.CPU/s.ReferenceTime/(b.CPU/b.ReferenceTime))
			}
		}
	}
	return ratios
}

// floor returns the smallest CPU time of a row, not normalized.
func floor(row *compare.Row) float64 {
	return minimum(row.Series(func(s compare.Sample) float64 { return s.CPU }))
}

// floorRatio returns how many times the tunnel's floor the floor of a peer is, or
// NaN if either was not measured.
func (p *page) floorRatio(workload, name string) float64 {
	row, base := p.Outcome.Row(workload, name), p.Outcome.Row(workload, peer.Tunnel)
	if row == nil || base == nil {
		return math.NaN()
	}
	return floor(row) / floor(base)
}

// verdict compares a figure of Byline with its budget. It returns "" if there is
// no budget or no figure.
func verdict(budget, got float64, unit string) string {
	switch {
	case budget == 0 || math.IsNaN(got):
		return ""
	case got <= budget:
		return fmt.Sprintf("Budget %s: **kept**, %s %s.", formatFigure(budget), formatFigure(got), unit)
	}
	return fmt.Sprintf("Budget %s: **missed**, %s %s is %s over it.", formatFigure(budget), formatFigure(got), unit, formatShare(got/budget-1))
}

// disagreement says how many rounds were within the budget. It returns "" if all
// rounds agree with the verdict on their median.
func disagreement(budget float64, rounds measure.Series) string {
	within := 0
	for _, v := range rounds {
		if v <= budget {
			within++
		}
	}
	if within == 0 || within == len(rounds) {
		return ""
	}
	return fmt.Sprintf(" %d of %d rounds were within it, from %s to %s.",
		within, len(rounds), formatFigure(minimum(rounds)), formatFigure(rounds.Quantile(1)))
}
