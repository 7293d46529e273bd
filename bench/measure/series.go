// Package measure is what the bench knows about numbers: medians and their
// spread, CPU clocks of other processes, resident memory, and the fixed job
// against which every slice is normalised.
package measure

import (
	"math"
	"slices"
)

// Series is one figure, once per round. The zero value has no figure.
type Series []float64

// Median is the middle of the sorted series, or the mean of the two middles.
// Without a value it is NaN.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile interpolates linearly between the closest ranks; q is cut to 0…1.
// Without a value it is NaN.
func (s Series) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// Spread is half the distance from the smallest to the largest value, as a
// part of the median: 0.05 reads "± 5 %". It is 0 for fewer than two values.
func (s Series) Spread() float64 {
	if len(s) < 2 {
		return 0
	}
	m := s.Median()
	if m == 0 {
		return 0
	}
	return (slices.Max(s) - slices.Min(s)) / 2 / math.Abs(m)
}

// Over divides round by round, so that what slowed the whole machine down in
// one round cancels out. The longer series is cut to the shorter one; a round
// whose base is 0 or NaN is left out.
func (s Series) Over(base Series) Series {
	var out Series
	for i := range min(len(s), len(base)) {
		if base[i] != 0 && !math.IsNaN(base[i]) && !math.IsNaN(s[i]) {
			out = append(out, s[i]/base[i])
		}
	}
	return out
}
