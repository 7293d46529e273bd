package proxy

import (
	"context"
	"runtime"
	"testing"

	"github.com/byline-proxy/byline/adapters"
)

// TestSessionsThatWereLoggedOutAreNotKept gives up many sessions of one hold, as a task
// does that runs for days. Those that nobody else has are collected, and one that
// somebody has is still logged out only once.
func TestSessionsThatWereLoggedOutAreNotKept(t *testing.T) {
	const renewals = 200
	var e endings
	kept := new(adapters.Session)
	giveUp := func(session *adapters.Session) {
		if _, first := e.begin(session); !first {
			t.Fatal("the logout of a new session has begun already")
		}
		e.end(session, false)
	}
	giveUp(kept)
	for range renewals {
		giveUp(new(adapters.Session))
	}

	runtime.GC()
	pending := new(adapters.Session)
	over, first := e.begin(pending)
	if !first || len(e.all) > renewals/10 {
		t.Errorf("%d sessions are remembered after %d logouts, want about 2", len(e.all), renewals)
	}
	if over, first := e.begin(kept); first {
		t.Error("a session is logged out twice")
	} else {
		<-over
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.wait(ctx)
	select {
	case <-over:
		t.Error("a logout that goes on counts as over")
	default:
	}
	e.end(pending, false)
	e.wait(t.Context())
	runtime.KeepAlive(kept)
}
