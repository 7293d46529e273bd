package proxy

import "github.com/prometheus/client_golang/prometheus"

// budgetUse is what an operator monitors of the budget.
type budgetUse struct {
	held    int64 // bytes
	waiting int   // calls of take
	refused uint64
}

func (b *budget) use() budgetUse {
	b.mu.Lock()
	defer b.mu.Unlock()
	return budgetUse{held: b.held, waiting: b.waiters, refused: b.refused}
}

// registerMetrics adds the budget's metrics.
func (b *budget) registerMetrics(r *prometheus.Registry) {
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	r.MustRegister(
		gauge("byline_held_bytes", "Bytes that requests, answers and WebSocket messages hold or may come to hold.", func() float64 { return float64(b.use().held) }),
		gauge("byline_held_bytes_limit", "Bytes that all tasks together may hold (wire.max_held_bytes).", func() float64 { return float64(b.total) }),
		gauge("byline_held_bytes_task_limit", "Bytes that one task may hold (wire.max_task_held_bytes).", func() float64 { return float64(b.perTask) }),
		gauge("byline_held_waiting", "Requests and WebSocket messages that wait until bytes become free.", func() float64 { return float64(b.use().waiting) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byline_held_refused_total", Help: "Requests and WebSocket messages that were refused because no bytes became free (over_budget)."},
			func() float64 { return float64(b.use().refused) }),
	)
}
