package proxy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/state"
)

// refuseOwnSecrets refuses a request that holds a secret of the account that acts
// for its task (I1). The agent never got it: it tries out candidates, of which the
// mask would show which one is right, or the secret has leaked. What stood in fields
// that are not carried counts as well. A body that streams is watched while it goes
// out.
func (x *exchange) refuseOwnSecrets(ctx context.Context) error {
	h := &x.in.Head
	what, found := "", false
	if path, _ := x.maskedNames(); path != h.Path {
		what, found = x.session.FindOwn(h.Path)
	}
	if !found && !isUsualMethod(h.Method) {
		what, found = x.session.FindOwn(h.Method)
	}
	if !found && h.AnnouncedTrailers != "" {
		what, found = x.session.FindOwn(h.AnnouncedTrailers)
	}
	if !found && h.Query != "" {
		what, found = x.session.FindOwn(h.Query)
	}
	if !found {
		what, found = x.session.FindOwnInFields(&x.hold.known, h.Fields)
	}
	if !found && len(x.body) > 0 {
		what, found = x.session.FindOwnIn(x.body)
	}
	if !found && x.bodyComplete {
		var err error
		what, found, err = x.session.FindOwnInCoded(x.body, h.Fields)
		if err != nil && !found {
			return refuse(AmbiguousRequest, "%s", err)
		}
	}
	if found {
		return x.quarantine(ctx, what)
	}

	if x.out.Body != nil && !(x.body != nil && x.bodyComplete) {
		watched := x.session.OwnReader(x.out.Body, h.Fields, func(what string) error {
			return x.quarantine(context.WithoutCancel(ctx), what)
		})
		x.out.Body = &watchedBody{watched, x.in.Body}
	}
	return nil
}

// quarantine records the alert, keeps the account from being given out until an
// operator releases it, and ends the task. It returns the refusal. The account is in
// quarantine before the agent learns anything, and the task sends nothing more.
func (x *exchange) quarantine(ctx context.Context, what string) error {
	s, t := x.server, x.tunnel.task
	adapter, account := x.adapter.Name(), x.hold.lease.Account()
	why := fmt.Sprintf("a request of task %s held %s", t.ID(), what)

	if err := s.state.Quarantine(adapter, account, why); err != nil {
		s.opt.Log.Error().Str("adapter", adapter).Str("account", account).Err(err).Msg("quarantine not stored")
	}
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
	all, err := s.state.Quarantined()
	if err != nil {
		return nil, err
	}
	kept := map[string]string{}
	for _, q := range all {
		if q.Adapter == adapter {
			kept[q.Account] = q.Why
		}
	}
	return kept, nil
}
