package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Ready returns nil while requests can be carried, otherwise the reason why they
// cannot: the log takes no record, the state store cannot be written, or the vault
// cannot be read. It may take seconds if a disk hangs.
func (s *Server) Ready() error {
	select {
	case <-s.stop:
		return errors.New("shutting down")
	default:
	}

	if err := s.log.Ready(); err != nil {
		return fmt.Errorf("the record cannot be written: %w", err)
	}
	if err := s.log.RollbackErr(); err != nil {
		return err
	}
	if err := s.state.Check(); err != nil {
		return err
	}
	return s.vaultCheck.run(s.readVault)
}

// readVault fails if the accounts of an adapter cannot be read.
func (s *Server) readVault() error {
	ctx, cancel := context.WithTimeout(context.Background(), vaultCheckTimeout)
	defer cancel()
	all := s.rules.Load().adapters.All()
	if len(all) == 0 {
		return nil
	}

	// The accounts of all adapters are in the same stores.
	if _, err := s.vault.Accounts(ctx, all[0].Name()); err != nil {
		return fmt.Errorf("the vault cannot be read: %w", err)
	}
	return nil
}

// vaultCheckTimeout bounds the attempt of Ready to read the vault.
const vaultCheckTimeout = 3 * time.Second

// boundedCheck runs a check of which at most one is in progress. The zero value is
// ready to use.
type boundedCheck struct {
	mu      sync.Mutex
	pending chan error // of the check in progress; nil if there is none
}

// run returns what check returns, or an error if that takes too long. Callers that come
// while a check is in progress wait for that one.
func (b *boundedCheck) run(check func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending == nil {
		pending := make(chan error, 1)
		b.pending = pending
		go func() { pending <- check() }()
	}

	timer := time.NewTimer(vaultCheckTimeout)
	defer timer.Stop()
	select {
	case err := <-b.pending:
		b.pending = nil
		return err
	case <-timer.C:
		return fmt.Errorf("the vault cannot be read: it has not answered for %s", vaultCheckTimeout)
	}
}
