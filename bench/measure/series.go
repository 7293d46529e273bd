// Package measure contains what the bench needs to produce figures: medians and
// their spread, the CPU time and memory of other processes, CPU affinity, and
// the reference job that figures are normalized by.
package measure

import (
	"math"
	"slices"
)

// Series holds one figure with one value per round. The zero value is empty.
type Series []float64

// Median returns the middle value, or the mean of the two middle values. It is
// NaN for an empty series.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile returns the quantile q, interpolated linearly between the closest
// ranks. Values of q outside 0…1 are clamped. It is NaN for an empty series.
func (s Series) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := min(max(q, 0), 1) * float64(len(sorted)-1)
	below := int(rank)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (rank-float64(below))*(sorted[below+1]-sorted[below])
}

// Spread returns half the distance from the smallest to the largest value,
// relative to the median: 0.05 means "± 5 %". It is 0 for fewer than two values.
func (s Series) Spread() float64 {
	if len(s) < 2 {
		return 0
	}
	median := s.Median()
	if median == 0 {
		return 0
	}
	return (slices.Max(s) - slices.Min(s)) / 2 / math.Abs(median)
}
