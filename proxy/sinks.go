package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// sinkDrainTimeout bounds how long closing waits for sinks to take the last
// records. They get the rest at the next start.
const sinkDrainTimeout = 3 * time.Second

// startFeeds delivers the log to every sink, each at its own pace.
func (s *Server) startFeeds(sinks map[string]journal.Sink) error {
	for name, sink := range sinks {
		f, err := s.log.StartFeed(name, sink, func(err error) {
			s.opt.Log.Warn().Err(err).Msg("records not delivered; they are kept and delivered later")
		})
		if err != nil {
			return fmt.Errorf("sinks: %w", err)
		}
		s.feeds = append(s.feeds, f)
		s.metrics.addFeed(name, f)
	}
	return nil
}

// stopFeeds waits a moment for every sink to take the last record, and stops the
// feeds.
func (s *Server) stopFeeds(last journal.Ticket) {
	ctx, cancel := context.WithTimeout(context.Background(), sinkDrainTimeout)
	defer cancel()

	_ = last.Wait(ctx) // a log that cannot record has nothing more to deliver
	for _, f := range s.feeds {
		_ = f.WaitDrained(ctx) // the cursor says where the next start continues
	}
	for _, f := range s.feeds {
		f.Stop()
	}
}

// addFeed registers the metrics of a feed.
func (m *metrics) addFeed(name string, f *journal.Feed) {
	label := prometheus.Labels{"sink": name}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "byline_sink_lag_records", Help: "Durable records that the sink does not have yet.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Lag) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byline_sink_delivered_total", Help: "Records that the sink took.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Delivered) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byline_sink_failures_total", Help: "Deliveries that failed and were made again.", ConstLabels: label},
			func() float64 { return float64(f.Stats().Failures) }))
}
