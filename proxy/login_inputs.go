package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/vault"
)

// loginInputs names what a login is made with: it differs if the secret was put again
// or has changed, or if the adapter has changed. It is stored, so it is a keyed digest,
// from which nobody without the vault's key finds a password by guessing.
func (s *Server) loginInputs(a *adapters.Adapter, secret vault.Secret) string {
	mac := hmac.New(sha256.New, s.loginKey)
	add := func(text string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		mac.Write(size[:])
		mac.Write([]byte(text))
	}

	add("inputs")
	add(a.Digest())
	add(secret.Revision())
	for _, name := range secret.Fields() {
		value, _ := secret.Reveal(name)
		add(name)
		add(value)
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// reserveStep is an adapters.StepReserver. The step is durable before it is returned,
// so that its code is not sent again, whatever is killed.
func (s *Server) reserveStep(key string, first, last int64) (step int64, ok bool, err error) {
	mac := hmac.New(sha256.New, s.loginKey)
	mac.Write([]byte("steps of " + key))
	return s.state.ReserveStep(hex.EncodeToString(mac.Sum(nil)), first, last)
}

// loginInputsChanged reports whether what the last login was made with, as Lease.Inputs
// returned it, has changed since. A person has acted then, so a login may be tried that
// would be refused.
func (s *Server) loginInputsChanged(ctx context.Context, a *adapters.Adapter, account, with string) bool {
	if with == "" {
		return false
	}
	secret, err := s.vault.Secret(ctx, a.Name(), account)
	return err == nil && s.loginInputs(a, secret) != with
}
