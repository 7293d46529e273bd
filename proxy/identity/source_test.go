package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"testing"
)

// certificateSource is a source that this file alone adds: the common name of
// the agent's certificate is the task's id.
type certificateSource struct{ tasks *Registry }

func (s certificateSource) Identify(_ context.Context, e Evidence) (*Task, error) {
	if e.TLS == nil || len(e.TLS.PeerCertificates) == 0 {
		return nil, ErrNotMine
	}
	t := s.tasks.Find(e.TLS.PeerCertificates[0].Subject.CommonName)
	if t == nil {
		return nil, ErrUnknown
	}
	return t, nil
}

func certificate(commonName string) Evidence {
	return Evidence{TLS: &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: commonName}}},
	}}
}

// registerForTest registers a kind until the test ends.
func registerForTest(t *testing.T, k sourceKind) {
	t.Helper()
	before := slices.Clone(sourceKinds)
	t.Cleanup(func() { sourceKinds = before })
	registerSource(k)
}

func TestASourceIsAddedByOneFile(t *testing.T) {
	registerForTest(t, sourceKind{name: "certificate", order: 50, open: func(_ Config, tasks *Registry) Source {
		return certificateSource{tasks}
	}})
	r := newTestRegistry(t)
	task, token := createTask(t, r, triage)
	other, _ := createTask(t, r, triage)

	both := certificate(other.ID())
	both.ProxyAuthorization = bearer(token).ProxyAuthorization
	forged := both
	forged.TLS = certificate("nobody").TLS

	for _, c := range []struct {
		name     string
		evidence Evidence
		want     *Task
		err      error
	}{
		{"a token", bearer(token), task, nil},
		{"a certificate", certificate(task.ID()), task, nil},
		{"the first source decides", both, other, nil},
		{"a refusal is final", forged, nil, ErrUnknown},
		{"neither", Evidence{}, nil, ErrNoCredentials},
	} {
		got, _, err := r.Authenticate(t.Context(), c.evidence)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: Authenticate returned %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func TestASourceOfAnotherFilePassesTheContract(t *testing.T) {
	testSource(t, sourceContract{
		open:    func(r *Registry) Source { return certificateSource{r} },
		prove:   func(task *Task, _ Token) Evidence { return certificate(task.ID()) },
		forged:  []Evidence{certificate("nobody")},
		foreign: []Evidence{{ProxyAuthorization: "Bearer x"}},
	})
}

func TestASourceThatIsNotConfiguredIsNotAsked(t *testing.T) {
	registerForTest(t, sourceKind{name: "absent", order: 1, open: func(Config, *Registry) Source { return nil }})
	r := newTestRegistry(t)
	task, token := createTask(t, r, triage)
	if got, _, err := r.Authenticate(t.Context(), bearer(token)); err != nil || got != task {
		t.Errorf("Authenticate returned %v, %v; want task %s", got, err, task.ID())
	}
}
