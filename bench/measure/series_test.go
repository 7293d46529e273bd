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
			t.Errorf("%v at %v: %v, want %v", c.s, c.q, got, c.want)
		}
		if !slices.Equal(before, c.s) {
			t.Errorf("%v was reordered to %v", before, c.s)
		}
	}
	if got := (Series{}).Median(); !math.IsNaN(got) {
		t.Errorf("an empty series has a median of %v", got)
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
			t.Errorf("%v: ± %v, want %v", c.s, got, c.want)
		}
	}
}

func TestOverDividesRoundByRound(t *testing.T) {
	base := Series{10, 20, 0, math.NaN(), 40}
	got := Series{15, 30, 9, 9, 60, 99}.Over(base)
	if want := (Series{1.5, 1.5, 1.5}); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got.Spread() != 0 {
		t.Errorf("a machine that slowed down in one round shows as ± %v", got.Spread())
	}
}
