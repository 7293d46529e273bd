package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/lease"
)

// waitingApplication answers /stream with a head and then nothing, and everything else
// with nothing, until the request is cancelled.
func waitingApplication(arrived chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	}
}

// sendInBackground sends a request and reads its answer.
func (p *protocolTest) sendInBackground(method, path string) {
	r := p.newRequest(method, path, nil)
	go func() {
		resp, err := p.agent.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
}

// TestDrainedIsOnRecord shuts the server down before an answer has come and before it
// has ended. The application is not blamed.
func TestDrainedIsOnRecord(t *testing.T) {
	arrived := make(chan struct{}, 2)
	testAllProtocols(t, waitingApplication(arrived), func(p *protocolTest) {
		p.sendInBackground(http.MethodGet, "/quiet")
		receive(p.t, "the first request at the application", arrived)
		p.sendInBackground(http.MethodGet, "/stream")
		receive(p.t, "the second request at the application", arrived)

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(ctx); err != nil {
			p.t.Fatal(err)
		}

		outcomes := p.readPathRecords("outcome")
		if len(outcomes) != 2 {
			p.t.Fatalf("%d outcomes are on record, want 2", len(outcomes))
		}
		for _, o := range outcomes {
			if o.Code != string(Drained) {
				p.t.Errorf("the outcome of GET %s, which the shutdown cut, has status %d and the code %q, want drained", o.Path, o.Status, o.Code)
			}
		}
	})
}

// TestDrainedIsOnRecordInAbsoluteForm does the same with a request that net/http
// serves.
func TestDrainedIsOnRecordInAbsoluteForm(t *testing.T) {
	arrived := make(chan struct{}, 1)
	p := newProtocolTest(t, "h1", "h1", waitingApplication(arrived), protocolOptions{})
	r := p.newRequest(http.MethodGet, "/quiet", nil)
	r.URL.Scheme = "http"
	go func() {
		if resp, err := p.agent.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	receive(t, "the request at the application", arrived)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	outcomes := p.readPathRecords("outcome")
	if len(outcomes) != 1 || outcomes[0].Code != string(Drained) {
		t.Errorf("outcomes %+v, want one with the code drained", outcomes)
	}
}

// TestAgentGoneWhileItWaitsForAnAccount is a refusal that blames neither the
// application nor the other tasks.
func TestAgentGoneWhileItWaitsForAnAccount(t *testing.T) {
	p := newProtocolTest(t, "h1", "h1", func(http.ResponseWriter, *http.Request) {}, protocolOptions{
		changeServer: func(o *Options) { o.Lease.Wait = time.Minute },
	})
	p.checkBody(p.get("/first"), "")

	other, _ := p.newAgent(t, pagesSpec)
	ctx, cancel := context.WithCancel(context.Background())
	r := p.newRequest(http.MethodGet, "/second", nil).WithContext(ctx)
	left := make(chan struct{})
	go func() {
		defer close(left)
		if resp, err := other.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	time.AfterFunc(500*time.Millisecond, cancel) // until the server watches the connection
	receive(t, "the end of the second request", left)
	time.Sleep(300 * time.Millisecond)

	refusals := p.readPathRecords("refusal")
	if len(refusals) != 1 || refusals[0].Code != string(AgentGone) {
		t.Errorf("refusals %+v, want one with the code agent_gone", refusals)
	}
}

// TestI5LostLeaseCutsWhatIsInFlight loses a lease while an answer is awaited: another
// holder may log in with the account from now on.
func TestI5LostLeaseCutsWhatIsInFlight(t *testing.T) {
	arrived := make(chan struct{}, 1)
	p := newProtocolTest(t, "h1", "h1", waitingApplication(arrived), protocolOptions{
		changeServer: func(o *Options) { o.Lease = lease.Config{TTL: 600 * time.Millisecond, Wait: 50 * time.Millisecond} },
	})
	p.sendInBackground(http.MethodGet, "/quiet")
	receive(t, "the request at the application", arrived)

	l := p.leases.Leases()[0]
	until := time.Now().Add(time.Minute)
	if err := p.state.ReleaseLease(l.Adapter(), l.Account(), l.Fence()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.state.AcquireLease(l.Adapter(), l.Account(), "tsk_other", until); err != nil {
		t.Fatal(err)
	}
	receive(t, "the end of the lease", l.Context().Done())
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.testServer.log.String(), "lease on an account was lost"); {
		if time.Now().After(deadline) {
			t.Fatal("the log says nothing about the lost lease")
		}
		time.Sleep(10 * time.Millisecond)
	}

	records := p.readRecords(t, "")
	var lost, cut bool
	for i := range records {
		r := &records[i]
		lost = lost || r.Kind == "lease" && r.Code == string(LeaseLost) && r.Account == "agent-01"
		cut = cut || r.Kind == "outcome" && r.Path == "/quiet" && r.Code == string(LeaseUnavailable)
	}
	if !lost || !cut {
		t.Errorf("lost lease on record: %v; outcome of what was in flight: %v; want both", lost, cut)
	}
}
