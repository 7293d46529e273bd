package load

import (
	"testing"
	"time"
)

func TestBucketsAreInOrderAndNarrow(t *testing.T) {
	last := -1
	for us := uint64(0); us < 1<<24; us += 1 + us/100 {
		b := bucket(us)
		if b < last {
			t.Fatalf("%d µs is in bucket %d, less before it", us, b)
		}
		last = b
		low, high := floor(b), floor(b+1)
		if float64(us) < low || float64(us) >= high {
			t.Fatalf("%d µs is in bucket %d, which reaches from %v to %v", us, b, low, high)
		}
		if us >= steps && (high-low)/low > 1.0/steps+1e-9 {
			t.Fatalf("bucket %d reaches from %v to %v", b, low, high)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var a, b Histogram
	if a.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for i := 1; i <= 1000; i++ {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h.Add(time.Duration(i) * time.Millisecond)
	}
	b.Add(1000 * time.Hour)
	a.Join(&b)
	if a.Count() != 1001 {
		t.Errorf("%d were counted", a.Count())
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Millisecond}, {0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}} {
		got := a.Quantile(c.q)
		if got > c.want || float64(got) < 0.93*float64(c.want) {
			t.Errorf("quantile %v: %v, want about %v", c.q, got, c.want)
		}
	}
}
