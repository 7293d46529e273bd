package proxy

import (
	"errors"
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/lease"
)

// registerAccountMetrics adds the number of accounts that cannot be used, by state.
func (s *Server) registerAccountMetrics() {
	for _, state := range []string{admin.AccountBackOff, admin.AccountNeedsPerson, admin.AccountQuarantined} {
		s.metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "byline_accounts",
			Help:        "Accounts with which no login is tried, by state.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return s.countAccounts(state) }))
	}
}

// countAccounts returns how many accounts are in a state, and NaN if the store cannot
// be read.
func (s *Server) countAccounts(state string) float64 {
	if state == admin.AccountQuarantined {
		all, err := s.state.Quarantined()
		if err != nil {
			return math.NaN()
		}
		return float64(len(all))
	}

	n := 0
	for _, r := range s.leases.Refused() {
		_, blocked := errors.AsType[*lease.BlockedError](r.Err)
		if blocked == (state == admin.AccountNeedsPerson) {
			n++
		}
	}
	return float64(n)
}
