package load

import (
	"math/bits"
	"time"
)

// bucketsPerDoubling sets the resolution: a bucket is at most 1/16 wide, about
// 6 % of its value.
const bucketsPerDoubling = 16

// Histogram counts durations in logarithmic buckets of microseconds. The zero
// value is empty. It must not be used from several goroutines at once.
type Histogram struct {
	buckets [40 * bucketsPerDoubling]int64
	count   int64
}

// Add counts one duration. Longer ones than the last bucket holds are counted
// there.
func (h *Histogram) Add(d time.Duration) {
	us := uint64(max(0, d.Microseconds()))
	h.buckets[min(bucketOf(us), len(h.buckets)-1)]++
	h.count++
}

// bucketOf returns the bucket of a value. Below bucketsPerDoubling each value has
// its own bucket; above, each doubling has bucketsPerDoubling of them.
func bucketOf(us uint64) int {
	if us < bucketsPerDoubling {
		return int(us)
	}
	shift := bits.Len64(us) - 5 // so that us>>shift lies between one and two times bucketsPerDoubling
	return shift*bucketsPerDoubling + int(us>>shift)
}

// lowerBound returns the smallest value of a bucket, in microseconds.
func lowerBound(bucket int) float64 {
	if bucket < 2*bucketsPerDoubling {
		return float64(bucket)
	}
	shift := bucket/bucketsPerDoubling - 1
	return float64(uint64(bucket-shift*bucketsPerDoubling) << shift)
}

// Merge adds the counts of other.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
}

// Count returns the number of durations that were added.
func (h *Histogram) Count() int64 { return h.count }

// Quantile returns the lower bound of the bucket that contains the quantile q
// (0…1): at most 6 % less than the true value. It is 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := int64(q * float64(h.count-1))
	for i, n := range h.buckets {
		left -= n
		if n > 0 && left < 0 {
			return time.Duration(lowerBound(i) * float64(time.Microsecond))
		}
	}
	return 0
}
