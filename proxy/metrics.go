package proxy

import (
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// metrics are what an operator monitors. Labels hold only names that the
// configuration sets, never one that an agent can choose, so the number of series
// is bounded.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	logins   *prometheus.CounterVec
	reloads  *prometheus.CounterVec
	alerts   *prometheus.CounterVec
	held     *prometheus.CounterVec

	intercepted, passedThrough prometheus.Gauge // open tunnels of each kind

	perAdapter sync.Map      // adapter name → *adapterMetrics
	closed     atomic.Uint64 // tunnels that were closed
}

func newMetrics(log *journal.Log, tasks func() float64, leases func() float64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byline_requests_total", Help: "Requests answered, by adapter, status class and refusal code (empty: carried)."}, []string{"adapter", "status", "code"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "byline_request_seconds", Help: "Time from a request's head to the last byte of its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12)}, []string{"adapter"}),
		logins:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byline_logins_total", Help: "Logins at applications."}, []string{"adapter", "result"}),
		reloads:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byline_reloads_total", Help: "Reloads of configuration, adapters and policies."}, []string{"result"}),
		alerts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byline_alerts_total", Help: "Borrowed sessions seen for the first time (borrowed_seen) or with another agent (borrowed_shared)."}, []string{"adapter", "code"}),
	}

	m.held = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byline_fields_held_total", Help: "Request fields that were held because neither the built-in list nor headers.pass of the adapter names them."}, []string{"adapter"})
	m.registry.MustRegister(m.held)

	tunnels := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "byline_tunnels", Help: "Open tunnels."}, []string{"kind"})
	m.registry.MustRegister(tunnels)
	m.intercepted, m.passedThrough = tunnels.WithLabelValues("intercept"), tunnels.WithLabelValues("pass_through")

	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	counter := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f)
	}
	m.registry.MustRegister(m.requests, m.seconds, m.logins, m.reloads, m.alerts,
		gauge("byline_tasks", "Tasks that may act.", tasks),
		gauge("byline_leases", "Accounts checked out.", leases),
		counter("byline_lines_held_total", "How often the text of an answer paused in the middle of a line, which was held back for 100 ms.", func() float64 { return float64(adapters.LinesHeld()) }),
		counter("byline_audit_records_total", "Records made durable.", func() float64 { return float64(log.Stats().Records) }),
		counter("byline_audit_groups_total", "Group commits.", func() float64 { return float64(log.Stats().Groups) }),
		counter("byline_audit_sync_seconds_total", "Time spent waiting for the disk.", func() float64 { return log.Stats().SyncTime.Seconds() }),
		gauge("byline_audit_commit_age_seconds", "How long the group commit in progress is out; it grows while the disk hangs.", func() float64 { return log.Stats().CommitAge.Seconds() }),
		gauge("byline_audit_clock_behind_seconds", "By how much the system clock was behind the times of records at the newest record.", func() float64 { return log.Stats().ClockBehind.Seconds() }),
		counter("byline_audit_clock_steps_total", "How often the system clock went back by more than a second.", func() float64 { return float64(log.Stats().ClockSteps) }),
		gauge("byline_audit_published", "Records that the published checkpoint covers.", func() float64 { return float64(log.Stats().Published) }),
		gauge("byline_audit_rolled_back", "1 if the record was rolled back and nobody has accepted that, otherwise 0.", func() float64 { return rolledBack(log) }),
		gauge("byline_audit_witnessed", "Records that a quorum of witnesses has signed since the start.", func() float64 { return float64(log.Stats().Witnessed) }),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(liveHeap)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// liveHeap adds go_gc_heap_live_bytes, the heap that the last garbage collection found
// in use. It shows a leak, which the other metrics of the heap hide among garbage.
var liveHeap = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}

func rolledBack(log *journal.Log) float64 {
	if log.RollbackErr() != nil {
		return 1
	}
	return 0
}

// adapterMetrics are those of one adapter that every exchange updates. They are
// kept here because the vectors hash every label at each look-up.
type adapterMetrics struct {
	carried [6]atomic.Pointer[prometheus.Counter] // by status class; nil before the first
	seconds prometheus.Observer
	held    prometheus.Counter
}

func (m *metrics) of(adapter string) *adapterMetrics {
	if a, ok := m.perAdapter.Load(adapter); ok {
		return a.(*adapterMetrics)
	}

	made := &adapterMetrics{seconds: m.seconds.WithLabelValues(adapter), held: m.held.WithLabelValues(adapter)}
	stored, _ := m.perAdapter.LoadOrStore(adapter, made)
	return stored.(*adapterMetrics)
}

// exchange counts an exchange that is over. An empty code means that the request
// was carried.
func (m *metrics) exchange(adapter, code string, status int, d time.Duration) {
	a := m.of(adapter)
	a.seconds.Observe(d.Seconds())

	class := min(status/100, 5) // what is beyond counts as 5xx (RFC 9110 section 15)
	if code != "" || class >= len(a.carried) {
		m.requests.WithLabelValues(adapter, strconv.Itoa(class)+"xx", code).Inc()
		return
	}
	c := a.carried[class].Load()
	if c == nil {
		made := m.requests.WithLabelValues(adapter, strconv.Itoa(class)+"xx", "")
		c = &made
		a.carried[class].Store(c)
	}
	(*c).Inc()
}

func (m *metrics) login(adapter string, ok bool) {
	m.logins.WithLabelValues(adapter, resultLabel(ok)).Inc()
}

func resultLabel(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}

// tunnelOpen counts an open tunnel of a kind. The caller calls closed when it ends.
func (m *metrics) tunnelOpen(kind prometheus.Gauge) (closed func()) {
	kind.Inc()
	return func() {
		kind.Dec()
		m.closed.Add(1)
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
