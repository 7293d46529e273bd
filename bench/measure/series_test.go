package measure

import (
	"math"
	"slices"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		s    Series
		q    float64
		want float64
	}{
		{Series{3}, 0.5, 3},
		{Series{4, 1, 3}, 0.5, 3},
		{Series{4, 1, 3, 2}, 0.5, 2.5},
		{Series{40, 10, 30, 20, 50}, 0.25, 20},
		{Series{40, 10, 30, 20, 50}, 0.9, 46},
		{Series{2, 1}, 0, 1},
		{Series{2, 1}, 1, 2},
		{Series{2, 1}, 7, 2},
	} {
		before := slices.Clone(c.s)
		if got := c.s.Quantile(c.q); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.s, got, c.want)
		}
		if !slices.Equal(before, c.s) {
			t.Errorf("Quantile changed %v to %v", before, c.s)
		}
	}
	if got := (Series{}).Median(); !math.IsNaN(got) {
		t.Errorf("the median of an empty series is %v, want NaN", got)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		s    Series
		want float64
	}{
		{nil, 0},
		{Series{7}, 0},
		{Series{10, 10, 10}, 0},
		{Series{9, 10, 11}, 0.1},
		{Series{0, 0}, 0},
	} {
		if got := c.s.Spread(); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("the spread of %v is %v, want %v", c.s, got, c.want)
		}
	}
}
