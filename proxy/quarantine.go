package proxy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/state"
)

// quarantine records the alert, keeps the account from being given out until an
// operator releases it, and ends the task. It returns the refusal. The account is in
// quarantine before the agent learns anything, and the task sends nothing more.
func (x *exchange) quarantine(ctx context.Context, what string) error {
	s, t := x.server, x.tunnel.task
	adapter, account := x.adapter.Name(), x.hold.lease.Account()
	why := fmt.Sprintf("a request of task %s held %s", t.ID(), what)

	s.storeQuarantine(adapter, account, why)
	r := s.leaseRecord("alert", t, x.hold, x.hold.siteUnder(x.rules))
	r.Code, r.Detail = string(SecretInRequest), why+"; the account is in quarantine"
	r.Method, r.Action, r.Resource = x.recordedMethod(), x.action.Name, x.session.Mask().Text(x.action.Resource)
	s.metrics.alerts.WithLabelValues(adapter, r.Code).Inc()
	s.opt.Log.Warn().Str("task", t.ID()).Str("adapter", adapter).Str("account", account).Str("code", r.Code).Msg(why)
	if err := s.appendDurably(ctx, r); err != nil {
		s.opt.Log.Error().Err(err).Msg("alert not recorded")
	}

	t.attacked.Store(true)
	told := make(chan struct{})
	x.attack.Store(&told)
	s.background.Go(func() { // Close waits for it, so that the task ends on record
		select { // the end of the task cuts the connection of the refusal
		case <-told:
		case <-time.After(500 * time.Millisecond):
		}
		_, _ = s.EndTask(t.ID(), endedByAttack(adapter, account))
	})
	return refuse(SecretInRequest, "the request holds %s, which is the account's at %s and not the agent's to have. The task is over, and the account is kept "+
		"from use until an operator has changed its secret and released it.", what, x.tunnel.host)
}

// quarantineRetry is the pause between attempts to store a quarantine.
const quarantineRetry = time.Second

// storeQuarantine stores that an account is in quarantine. It is from the start: if the
// store cannot be written, the server knows it itself, and tries again.
func (s *Server) storeQuarantine(adapter, account, why string) {
	q := state.Quarantine{Adapter: adapter, Account: account, Why: why}
	name := [2]string{adapter, account}
	s.unstored.Store(name, q)

	store := func() bool {
		err := s.state.Quarantine(adapter, account, why)
		if err != nil {
			s.opt.Log.Error().Str("adapter", adapter).Str("account", account).Err(err).Msg("quarantine not stored; it is tried again")
			return false
		}
		s.unstored.Delete(name)
		return true
	}
	if store() {
		return
	}

	s.background.Go(func() {
		tick := time.NewTicker(quarantineRetry)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				store()
				return
			case <-tick.C:
			}
			if _, isWanted := s.unstored.Load(name); !isWanted || store() { // an operator may have released it
				return
			}
		}
	})
}

// endedByAttack returns why the task ends that held an account when it came into
// quarantine.
func endedByAttack(adapter, account string) string {
	return "an attack: a request held a secret of the account " + adapter + "/" + account
}

// endAttackers ends the tasks that hold an account in quarantine: the server before
// was killed before it could. Those of leases are all that can hold one.
func (s *Server) endAttackers(leases []state.Lease) error {
	all, err := s.state.Quarantined()
	if err != nil {
		return err
	}
	for _, l := range leases {
		isKept := slices.ContainsFunc(all, func(q state.Quarantine) bool { return q.Adapter == l.Adapter && q.Account == l.Account })
		t := s.task(l.Task)
		if !isKept || t == nil || t.Active() != nil {
			continue
		}
		s.identities.End(t.ID(), endedByAttack(l.Adapter, l.Account))
		t.lifeline.stop()
		s.background.Go(func() { _ = s.makeEndDurable(t) })
	}
	return nil
}

// logQuarantines logs which accounts wait for an operator, so that a restart does not
// let them be forgotten.
func (s *Server) logQuarantines() {
	all, err := s.state.Quarantined()
	if err != nil {
		s.opt.Log.Error().Err(err).Msg("accounts in quarantine not read")
		return
	}
	for _, q := range all {
		s.opt.Log.Warn().Str("adapter", q.Adapter).Str("account", q.Account).Str("why", q.Why).Str("code", string(SecretInRequest)).
			Msg("account in quarantine: byline account retry releases it once its secret is changed")
	}
}

// inQuarantine returns the accounts of an adapter that are kept from use, with the
// reason.
func (s *Server) inQuarantine(adapter string) (map[string]string, error) {
	var unstored []state.Quarantine // read first: what is stored meanwhile is in the store
	s.unstored.Range(func(_, q any) bool {
		unstored = append(unstored, q.(state.Quarantine))
		return true
	})
	all, err := s.state.Quarantined()
	if err != nil {
		return nil, err
	}
	all = append(all, unstored...)

	kept := map[string]string{}
	for _, q := range all {
		if q.Adapter == adapter {
			kept[q.Account] = q.Why
		}
	}
	return kept, nil
}

// liftQuarantine ends the quarantine of an account.
func (s *Server) liftQuarantine(adapter, account string) error {
	s.unstored.Delete([2]string{adapter, account})
	return s.state.LiftQuarantine(adapter, account)
}
