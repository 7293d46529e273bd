package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotPermitted is returned for a name that neither an adapter nor the
// configuration names (I9). The tunnel is refused.
var ErrNotPermitted = errors.New("no adapter names this host")

// Authority issues leaf certificates for the permitted hosts. All methods are
// safe for concurrent use. Use [Open] to create one.
type Authority struct {
	dir     string
	root    *x509.Certificate
	leafKey *ecdsa.PrivateKey // shared by all leaves; exists only in memory
	now     func() time.Time
	minted  atomic.Int64 // leaves signed so far; read by tests

	issuing  atomic.Pointer[issuing] // never nil after Open
	replaces sync.Mutex              // held while the issuing authority is replaced; Leaf does not take it
	renewing atomic.Bool             // true while a renewal runs

	mu     sync.Mutex // guards leaves; not held while a leaf is signed
	leaves map[string]*leaf
}

// Open reads the root in dir, and reads or creates an issuing authority for
// exactly hosts: host names, "*.suffix" and IP addresses, each with or without a
// port. An empty list is valid and permits nothing. The error wraps
// [ErrRootOffline] if a new issuing authority is needed and the root key is not
// in dir.
func Open(dir string, hosts []string) (*Authority, error) { return open(dir, hosts, time.Now) }

func open(dir string, hosts []string, now func() time.Time) (*Authority, error) {
	root, err := readRoot(dir)
	if err != nil {
		return nil, err
	}
	leafKey, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, root: root, leafKey: leafKey, now: now, leaves: map[string]*leaf{}}
	return a, a.Permit(hosts)
}

// Permit replaces the names that may be signed. If it fails, the previous names
// stay in force. Leaves of names that are no longer permitted are dropped.
func (a *Authority) Permit(hosts []string) error {
	names, err := parseNames(hosts)
	if err != nil {
		return err
	}

	a.replaces.Lock()
	defer a.replaces.Unlock()
	if err := checkRootValidity(a.root, a.now()); err != nil {
		return err
	}
	issuing, err := loadOrIssue(a.dir, a.root, names, a.now())
	if err != nil {
		return err
	}
	a.issuing.Store(issuing)

	a.mu.Lock()
	defer a.mu.Unlock()
	for host := range a.leaves {
		if !names.permits(host) {
			delete(a.leaves, host)
		}
	}
	return nil
}

// renewSoon starts a renewal of is in the background if is ends within
// renewBefore and no renewal is running. If the renewal fails, is stays in force
// until it ends, and the next call tries again.
func (a *Authority) renewSoon(is *issuing, now time.Time) {
	if now.Before(is.cert.NotAfter.Add(-renewBefore)) || !a.renewing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer a.renewing.Store(false)
		a.replaces.Lock()
		defer a.replaces.Unlock()
		renewed, err := loadOrIssue(a.dir, a.root, a.issuing.Load().names, a.now())
		if err == nil {
			a.issuing.Store(renewed)
		}
	}()
}

// Expiry returns when the issuing authority that is in force ends.
func (a *Authority) Expiry() time.Time { return a.issuing.Load().cert.NotAfter }

// RootPEM returns the root certificate, which agents must trust.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}
