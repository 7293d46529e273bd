package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/prometheus/client_golang/prometheus"
)

// feedsEnd is how long sinks may take over the last records when the corridor
// closes. What they do not get then they get at the next start.
const feedsEnd = 3 * time.Second

// feed brings the record to every sink, each at its own pace.
func (s *Server) feed(sinks map[string]journal.Sink) error {
	for name, sink := range sinks {
		f, err := s.log.Feed(name, sink, func(err error) {
			s.opt.Log.Warn().Err(err).Msg("records not delivered; they are kept and come again")
		})
		if err != nil {
			return fmt.Errorf("sinks: %w", err)
		}
		s.feeds = append(s.feeds, f)
		s.metrics.feed(name, f)
	}
	return nil
}

// endFeeds lets each sink catch up to the last record for a moment, and stops
// its feed.
func (s *Server) endFeeds(last journal.Ticket) {
	ctx, cancel := context.WithTimeout(context.Background(), feedsEnd)
	defer cancel()
	_ = last.Wait(ctx) // a log that cannot record has nothing more to hand on
	for _, f := range s.feeds {
		_ = f.Drained(ctx) // the cursor says where the next start goes on
	}
	for _, f := range s.feeds {
		f.Stop()
	}
}

// feed shows how far a sink is.
func (m *metrics) feed(name string, f *journal.Feed) {
	label := prometheus.Labels{"sink": name}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "byline_sink_lag_records", Help: "Durable records that the sink does not have yet.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Lag) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byline_sink_delivered_total", Help: "Records that the sink took.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Delivered) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byline_sink_failures_total", Help: "Deliveries that failed and were made again.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Failures) }))
}
