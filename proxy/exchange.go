package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// exchange is one request with its answer: everything that the walk learns on
// the way. It belongs to one goroutine until the relay begins; from then on
// only the wire's Done callback touches it.
type exchange struct {
	server  *Server
	rules   *rules  // captured once, so that a reload never changes a walk half way
	tunnel  *tunnel // fixed at CONNECT
	started time.Time
	ctx     context.Context // of the exchange; its cause says what cut it

	in      *wire.Request     // as the agent sent it, but for a session in the path; never edited
	out     wire.Request      // built from what was understood of in
	adapter *adapters.Adapter // nil until the request is admitted

	// body is what was read of the agent's body in order to classify the request,
	// nil if nothing was; once the request is named, it is what goes out instead.
	// bodyComplete reports that all of the body is known. A multipart form is read
	// into upload instead.
	body         []byte
	upload       *adapters.Upload
	spool        *spool // files of upload, without a name; nil if they need none
	bodyComplete bool
	use          adapters.BodyUse // see bodyUse
	bodyUseKnown bool
	outbound     adapters.Outbound                  // what goes out instead of query and body
	bodyFault    atomic.Pointer[adapters.BodyError] // why the rest of an upload was not sent

	action          adapters.Action
	notClassified   *adapters.Reason // why the adapter names no action; nil if it does
	decision        policy.Decision
	cookies         []adapters.Cookie   // the agent's own that may go out
	borrowed        []adapters.Borrowed // credentials that were removed from the request
	inPath          []adapters.Borrowed // those of them that stood in the path
	inBody          []adapters.Borrowed // those of them that stood in the body
	trailerBorrowed lateBorrowed        // those that followed the body
	held            heldBytes           // what it holds of the memory of its task
	lengthOfHead    int64               // in bytes, 0 before it is asked for
	heldForBody     int64               // the part of held that is for the body that was read
	heldOfUpload    int64               // bytes of fields and files that upload holds
	hold            *hold
	target          *upstream.Target
	session         *adapters.Session
	masker          adapters.Masker   // masks the session's secrets in the answer
	messages        *wire.Messages    // counts a WebSocket's messages; nil for anything else
	maskedBy        *adapters.Session // the session of maskedPath and maskedResource; see maskedNames
	maskedPath      string
	maskedResource  string
	count           int64 // number of the request on its lease, if the adapter asks for one

	// attack is closed once the refusal of quarantine is sent; nil unless there is one.
	attack atomic.Pointer[chan struct{}]

	intent string // id of the intent record, durable or still undecided; empty until step 5
}

// exchange answers one request of a tunnel.
func (t *tunnel) exchange(ctx context.Context, in *wire.Request) *wire.Response {
	x := &exchange{server: t.server, rules: t.server.rules.Load(), tunnel: t, in: in, started: time.Now(), ctx: ctx}

	answered := false
	defer func() { // after a panic, which the wire recovers from
		if !answered {
			x.held.giveBackAll()
		}
	}()

	resp, err := x.walk(ctx)
	if err != nil {
		resp = x.refuse(x.refusalFor(err))
	}
	answered = true
	return resp
}

// walk is the life of one request. The order of its lines is the security
// property of the product; docs/architecture.md gives the reason for each.
func (x *exchange) walk(ctx context.Context) (*wire.Response, error) {
	if err := x.admit(); err != nil { // 1: this host, one meaning, a living task
		return nil, err
	}
	if err := x.decide(ctx); err != nil { // 2: named by the adapter, permitted by the policy
		return nil, err
	}
	x.strip()                                           // 3: borrowed credentials stay here
	if err := x.refuseStrippedParameter(); err != nil { // what was decided on is what leaves
		return nil, err
	}
	if err := x.checkout(ctx); err != nil { // 4: one account, one session
		return nil, err
	}
	if err := x.refuseOwnSecrets(ctx); err != nil { // what only the account has, no agent sends
		return nil, err
	}
	if err := x.intend(ctx); err != nil { // 5: no record, no request
		return nil, err
	}
	x.inject() // 6: from here on, out is never logged

	resp, err := x.forward(ctx) // 7: one round trip
	if err != nil {
		return nil, err
	}
	if resp, err = x.renew(ctx, resp); err != nil { // 8: replace a session that ended, at most once
		return nil, err
	}
	if err := x.shield(resp); err != nil { // 9: the session stays here
		return nil, err
	}
	return x.relay(resp), nil // 10 and 11: stream the answer, record the outcome
}
