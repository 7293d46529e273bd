package load

import (
	"testing"
	"time"
)

func TestBucketsAreInOrderAndNarrow(t *testing.T) {
	last := -1
	for us := uint64(0); us < 1<<24; us += 1 + us/100 {
		bucket := bucketOf(us)
		if bucket < last {
			t.Fatalf("%d µs is in bucket %d, a smaller value in bucket %d", us, bucket, last)
		}
		last = bucket
		low, high := lowerBound(bucket), lowerBound(bucket+1)
		if float64(us) < low || float64(us) >= high {
			t.Fatalf("%d µs is in bucket %d, which reaches from %v to %v", us, bucket, low, high)
		}
		if us >= bucketsPerDoubling && (high-low)/low > 1.0/bucketsPerDoubling+1e-9 {
			t.Fatalf("bucket %d reaches from %v to %v, which is too wide", bucket, low, high)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var a, b Histogram
	if got := a.Quantile(0.5); got != 0 {
		t.Errorf("the median of an empty histogram is %v, want 0", got)
	}
	for i := 1; i <= 1000; i++ {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h.Add(time.Duration(i) * time.Millisecond)
	}
	b.Add(1000 * time.Hour)
	a.Merge(&b)
	if got := a.Count(); got != 1001 {
		t.Errorf("the count is %d, want 1001", got)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{
		{0, time.Millisecond},
		{0.5, 500 * time.Millisecond},
		{0.99, 990 * time.Millisecond},
	} {
		got := a.Quantile(c.q)
		if got > c.want || float64(got) < 0.93*float64(c.want) {
			t.Errorf("quantile %v is %v, want %v or up to 7 %% less", c.q, got, c.want)
		}
	}
}
