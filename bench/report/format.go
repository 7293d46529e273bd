package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/byline-proxy/byline/bench/measure"
)

// A figure whose spread is larger than maxSpread is marked with noisy.
const (
	maxSpread = 0.25
	noisy     = "≈"
)

// formatFigure formats a number with three significant digits and without an
// exponent, and as a whole number from 100 on. NaN and infinity become a dash.
func formatFigure(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case abs >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case abs >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// formatShare formats 0.123 as 12 %.
func formatShare(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// formatSpread formats the spread of a figure for a column named ±.
func formatSpread(s measure.Series) string {
	if s.Spread() > maxSpread {
		return noisy + " " + formatShare(s.Spread())
	}
	return formatShare(s.Spread())
}

// shortError returns the first line of an error text, cut to fit into a cell.
func shortError(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if r := []rune(text); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return text
}

// minimum returns the smallest value of s.
func minimum(s measure.Series) float64 { return s.Quantile(0) }
