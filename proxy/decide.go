package proxy

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// decide names the action (adapter) and asks whether the task may (policy).
func (x *exchange) decide() error {
	if err := x.peek(); err != nil {
		return err
	}
	h := &x.in.Head
	q := x.query()
	q.Body, q.Truncated = x.body, x.body != nil && !x.bodyComplete
	if err := x.stripBody(q); err != nil {
		return err
	}
	action, ok := x.adapter.Classify(q)
	if !ok {
		return x.unclassified()
	}
	x.action = action
	if action.Login {
		return refuse(LoginByAgent, "%s is a login page. Byline logs in by itself with an account checked out for this task; "+
			"go straight to the page you need, your requests are already authenticated.", h.Path)
	}
	x.decision = x.grant().Decide(policy.Request{
		Adapter: x.adapter.Name(), Action: action.Name, Resource: action.Resource, Privileged: action.Privileged,
		Method: h.Method, Host: x.tunnel.host, Path: h.Path, Now: x.started,
	})
	if x.decision.Effect != policy.Permit {
		return x.denied()
	}
	return nil
}

// peekLimit bounds how much of a body is held to name an action by what is in it: a wiki page that is saved is a form of
// some MiB. A longer one is not looked at, and named only by an action that does not ask for its fields.
const peekLimit = 4 << 20

// query is what the adapter names the action by, but for the body.
func (x *exchange) query() adapters.Query {
	h := &x.in.Head
	return adapters.Query{Method: h.Method, Path: h.Path, RawQuery: h.Query, ContentType: value(h.Fields, "Content-Type"), Fields: h.Fields}
}

// peek holds the head of the body when the adapter needs it to name the
// action, or when it is small enough to be sent again.
func (x *exchange) peek() error {
	h := &x.in.Head
	if x.in.Body == nil {
		x.bodyComplete = true
		return nil
	}
	if !x.adapter.NeedsBody(x.query()) {
		return nil
	}
	if coding := value(h.Fields, "Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(AmbiguousRequest, "what this request does is said in its body, which is in the coding %q. Send it without Content-Encoding.", coding)
	}
	if h.Length > peekLimit {
		x.body = []byte{}
		return nil
	}
	var err error
	if x.body, err = readUpTo(x.in.Body, h.Length); err != nil {
		if m := wire.BodyFault(err); m != nil {
			return malformed(m).because(err)
		}
		return refuse(AmbiguousRequest, "the body broke off before the action could be named. Send it whole.").because(err)
	}
	if x.bodyComplete = len(x.body) <= peekLimit; int64(len(x.body)) < h.Length {
		return refuse(AmbiguousRequest, "the body is shorter than its Content-Length. Send it whole.")
	}
	return nil
}

// readUpTo reads a body of that length, or one of unknown length (-1) as far as one byte beyond the limit. What an agent
// announces takes no memory, what it sends does.
func readUpTo(body io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		length = peekLimit + 1
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(length, headRoom)+bytes.MinRead))
	_, err := buf.ReadFrom(io.LimitReader(body, length))
	if err == io.ErrUnexpectedEOF {
		err = nil // the caller counts
	}
	return buf.Bytes(), err
}

// stripBody finds what the agent carried of a person's in a body that is to carry the session.
func (x *exchange) stripBody(q adapters.Query) error {
	if !x.adapter.PutsJSON() || x.in.Body == nil {
		return nil
	}
	var err error
	if x.inBody, err = x.adapter.StripJSON(q); err == nil {
		return nil
	}
	if q.Truncated {
		return refuse(AmbiguousRequest, "the session at %s travels in the body, and this body is longer than %d bytes. Send less at once.", x.tunnel.host, peekLimit)
	}
	return refuse(AmbiguousRequest, "the session at %s travels in the JSON body. Send one JSON object, or a list of them, as application/json "+
		"in UTF-8, with no name twice and with whatever the session's place lies in.", x.tunnel.host).because(err)
}

// unclassified refuses a request that the adapter has no name for.
func (x *exchange) unclassified() *Refusal {
	if x.body != nil && !x.bodyComplete {
		return refuse(ActionUnclassified, "the adapter %s names what %s %s does by its body, which is longer than the %d MiB that are read for it. This task allows: %s. "+
			"Send it in parts, or ask the adapter's owner (%s).", x.adapter.Name(), x.in.Method, x.in.Path, peekLimit>>20, x.grant().Allows(), x.adapter.Interim().Owner)
	}
	return refuse(ActionUnclassified, "the adapter %s names no action for %s %s, so it cannot be approved. This task allows: %s. "+
		"The adapter's owner (%s) can name it.", x.adapter.Name(), x.in.Method, x.in.Path, x.grant().Allows(), x.adapter.Interim().Owner)
}

// near says which actions an unnamed request nearly is, and what is in the way.
func (x *exchange) near(names bool) []string {
	q := x.query()
	q.Body, q.Truncated = x.body, x.body != nil && !x.bodyComplete
	return x.adapter.Near(q, names)
}

// denied tells an agent what it asked for, what it may do instead, and who can
// widen that.
func (x *exchange) denied() *Refusal {
	what := x.action.Name
	if x.action.Resource != "" {
		what = fmt.Sprintf("%s on %q", x.action.Name, x.action.Resource)
	}
	p := x.tunnel.task.Principal()
	if Code(x.decision.Code) == PolicyDenied {
		return refuse(PolicyDenied, "%s is in this task's scope, but the policy %v forbids it now. The operator's policies decide that; ask %s, the sponsor, to take it up with them.",
			what, x.decision.Policies, p.Sponsor)
	}
	return refuse(OutOfScope, "%s is outside this task's scope. It allows: %s. %s, the sponsor, can have a task with a wider scope made.",
		what, x.grant().Allows(), p.Sponsor)
}
