package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/lease"
)

// controlAccounts lists the accounts that the vault has for each adapter.
func (s *Server) controlAccounts(ctx context.Context) ([]admin.Account, error) {
	holders := map[string]string{}
	for _, l := range s.leases.Leases() {
		holders[l.Adapter()+"/"+l.Account()] = l.Task()
	}
	refused := s.refusedAccounts(ctx)

	views := []admin.Account{}
	for _, a := range s.rules.Load().adapters.All() {
		names, err := s.vault.Accounts(ctx, a.Name())
		if err != nil {
			return nil, err
		}
		kept, err := s.inQuarantine(a.Name())
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			id := a.Name() + "/" + name
			view := accountView(a.Name(), name, holders[id], refused[id])
			if why, is := kept[name]; is {
				view.State, view.Why, view.Until = admin.AccountQuarantined, why, nil
			}
			views = append(views, view)
		}
	}
	slices.SortFunc(views, func(x, y admin.Account) int {
		return cmp.Or(cmp.Compare(x.Adapter, y.Adapter), cmp.Compare(x.Account, y.Account))
	})
	return views, nil
}

// refusedAccounts returns why no login is tried now, by adapter and account. Accounts
// whose secret or adapter has changed since their last login are allowed one.
func (s *Server) refusedAccounts(ctx context.Context) map[string]error {
	refused := map[string]error{}
	for _, r := range s.leases.Refused() {
		a := s.rules.Load().adapters.ByName(r.Adapter)
		if a != nil && s.loginInputsChanged(ctx, a, r.Account, r.Inputs) {
			if _, err := s.leases.AllowLogin(r.Adapter, r.Account); err == nil {
				continue
			}
		}
		refused[r.Adapter+"/"+r.Account] = r.Err
	}
	return refused
}

// controlRetryAccount allows a login with an account at once: an operator has seen
// to what made logins fail.
func (s *Server) controlRetryAccount(ctx context.Context, id string) (admin.Account, error) {
	adapter, account, _ := strings.Cut(id, "/")
	names, err := s.vault.Accounts(ctx, adapter)
	if err != nil {
		return admin.Account{}, err
	}
	if !slices.Contains(names, account) {
		return admin.Account{}, &admin.Problem{Status: http.StatusNotFound, Code: "no_such_account",
			Detail: fmt.Sprintf("the vault has no account %q", id), Remedy: "byline account list shows the accounts"}
	}

	if err := s.releaseAccount(ctx, adapter, account); err != nil {
		return admin.Account{}, s.problem(err, "bad_account", "byline account list shows the accounts")
	}
	all, err := s.controlAccounts(ctx)
	if err != nil {
		return admin.Account{}, err
	}
	for _, v := range all {
		if v.Adapter == adapter && v.Account == account {
			return v, nil
		}
	}
	return accountView(adapter, account, "", nil), nil
}

// releaseAccount ends every state in which no login with the account is tried, on
// record: the record is durable before the account can be used.
func (s *Server) releaseAccount(ctx context.Context, adapter, account string) error {
	kept, err := s.inQuarantine(adapter)
	if err != nil {
		return err
	}
	why, quarantined := kept[account]
	refused := s.refusedAccounts(ctx)[adapter+"/"+account]
	if !quarantined && refused == nil {
		return nil
	}

	r := s.taskRecord("release", nil)
	r.Adapter, r.Account = adapter, account
	r.Detail = "an operator allows logins again"
	switch {
	case quarantined:
		r.Detail += "; the account was in quarantine: " + why
	case refused != nil:
		r.Detail += "; " + strings.TrimPrefix(refused.Error(), "lease: ")
	}
	if err := s.appendDurably(ctx, r); err != nil {
		return err
	}

	if err := s.liftQuarantine(adapter, account); err != nil {
		return err
	}
	_, err = s.leases.AllowLogin(adapter, account)
	return err
}

// accountView returns an account as the control API shows it. task holds it, if
// there is one; refused is why no login with it is tried now.
func accountView(adapter, account, task string, refused error) admin.Account {
	v := admin.Account{Adapter: adapter, Account: account, State: admin.AccountFree, Task: task}
	if task != "" {
		v.State = admin.AccountLeased
	}

	if blocked, ok := errors.AsType[*lease.BlockedError](refused); ok {
		v.State, v.Why = admin.AccountNeedsPerson, blocked.Why
	}
	if backoff, ok := errors.AsType[*lease.BackoffError](refused); ok {
		v.State, v.Until = admin.AccountBackOff, &backoff.Until
		switch backoff.Reason {
		case lease.LoginRefused:
			v.Why = "its last login was refused"
		case lease.LoginFailed:
			v.Why = "its last login failed"
		case lease.SessionsEnded:
			v.Why = "its last sessions were over soon after their login"
		}
	}
	return v
}
