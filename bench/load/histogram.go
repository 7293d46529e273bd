package load

import (
	"math/bits"
	"time"
)

// steps is into how many parts each doubling is cut: a bucket is 6 % wide.
const steps = 16

// Histogram counts durations in buckets of microseconds. The zero value is
// empty. It may be used by one goroutine at a time.
type Histogram struct {
	buckets [40 * steps]int64
	count   int64
}

// Add counts one duration; more than half an hour counts as that.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[min(bucket(uint64(max(0, d.Microseconds()))), len(h.buckets)-1)]++
	h.count++
}

// bucket is exact below steps, and logarithmic with steps parts above.
func bucket(us uint64) int {
	if us < steps {
		return int(us)
	}
	power := bits.Len64(us) - 5 // of the doubling that us lies in: us>>power is steps … 2*steps-1
	return power*steps + int(us>>power)
}

// floor is the smallest value of a bucket, in microseconds.
func floor(b int) float64 {
	if b < 2*steps {
		return float64(b)
	}
	power := b/steps - 1
	return float64(uint64(b-power*steps) << power)
}

// Join adds what another histogram counted.
func (h *Histogram) Join(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
}

// Count is how many durations were added.
func (h *Histogram) Count() int64 { return h.count }

// Quantile is the lower bound of the bucket that part q (0…1) of all
// durations lies in, at most 6 % below the true value; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := int64(q * float64(h.count-1))
	for i, n := range h.buckets {
		if left -= n; n > 0 && left < 0 {
			return time.Duration(floor(i) * float64(time.Microsecond))
		}
	}
	return 0
}
