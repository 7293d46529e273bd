package tune

import "slices"

// targetUtilization is the share of each core that may be in use on average, so
// that there is room for bursts.
const targetUtilization = 0.6

// Capacity is what a number of agents needs.
type Capacity struct {
	Agents int
	RPS    float64
	Cores  float64
	Memory float64 // bytes
}

// Capacities returns what different numbers of agents of the goal's kind need:
// the goal's own number, which was measured with the best settings, and others
// in proportion to it, which were not.
func (r *Result) Capacities() []Capacity {
	rpsEach := r.Goal.RPS / float64(r.Goal.Agents)
	memoryEach := max(0, r.Best.Memory-r.Best.Base) / float64(r.Goal.Agents)
	counts := []int{r.Goal.Agents}
	for n := 1; n <= min(100_000, 1000*r.Goal.Agents); n *= 10 {
		counts = append(counts, n)
	}
	slices.Sort(counts)

	var all []Capacity
	for _, n := range slices.Compact(counts) {
		rps := rpsEach * float64(n)
		all = append(all, Capacity{
			Agents: n,
			RPS:    rps,
			Cores:  rps * r.Best.CPU / 1e6 / targetUtilization,
			Memory: r.Best.Base + memoryEach*float64(n),
		})
	}
	return all
}
