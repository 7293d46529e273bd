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

// decide asks the adapter what the request does and the policy whether the task
// may do it.
func (x *exchange) decide() error {
	if err := x.peek(); err != nil {
		return err
	}

	q := x.queryWithBody()
	if err := x.stripBody(q); err != nil {
		return err
	}

	action, why := x.adapter.Classify(q)
	if why != nil {
		if over := x.tunnel.task.Active(); over != nil {
			return ended(over)
		}
		x.notClassified = why
		return x.unclassified(why)
	}
	x.action = action

	h := &x.in.Head
	if action.Login {
		return refuse(LoginByAgent, "%s is a login page. Byline itself logs in, with an account that is checked out for this task. "+
			"Go straight to the page you need: your requests are already authenticated.", h.Path)
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

// peekLimit bounds how many bytes of a body are held in order to classify the
// request by its content: a wiki page that is saved is a form of some MiB. Of a
// longer body nothing is read, and only an action that asks for no field of it
// can match.
const peekLimit = 4 << 20

// query returns what the adapter classifies the request by, without the body.
func (x *exchange) query() adapters.Query {
	h := &x.in.Head
	return adapters.Query{Context: x.tunnel.task.Context(), Method: h.Method, Path: h.Path, RawQuery: h.Query,
		ContentType: wire.Value(h.Fields, "Content-Type"), Fields: h.Fields}
}

// queryWithBody returns what the adapter classifies the request by, with as much
// of the body as peek has read.
func (x *exchange) queryWithBody() adapters.Query {
	q := x.query()
	q.Body = x.body
	q.Truncated = x.body != nil && !x.bodyComplete
	return q
}

// peek reads the start of the body into x.body if the adapter needs it to
// classify the request.
func (x *exchange) peek() error {
	if x.in.Body == nil {
		x.bodyComplete = true
		return nil
	}
	if !x.adapter.NeedsBody(x.query()) {
		return nil
	}

	h := &x.in.Head
	coding := wire.Value(h.Fields, "Content-Encoding")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(AmbiguousRequest, "what this request does is said in its body, which is in the coding %q. Send it without Content-Encoding.", coding)
	}
	if h.Length > peekLimit {
		x.body = []byte{}
		return nil
	}

	var err error
	x.body, err = readUpTo(x.in.Body, h.Length)
	if err != nil {
		if m := wire.BodyFault(err); m != nil {
			return malformed(m).because(err)
		}
		return refuse(AmbiguousRequest, "the body broke off before the action could be named. Send it whole.").because(err)
	}
	if int64(len(x.body)) < h.Length {
		return refuse(AmbiguousRequest, "the body is shorter than its Content-Length. Send it whole.")
	}
	x.bodyComplete = len(x.body) <= peekLimit
	return nil
}

// readUpTo reads a body of the given length. If the length is unknown (-1) it
// reads at most one byte more than peekLimit. Memory grows with the bytes that
// the agent sends, not with the length that it announces. A body that ends early
// is not an error here: the caller compares lengths.
func readUpTo(body io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		length = peekLimit + 1
	}

	buf := bytes.NewBuffer(make([]byte, 0, min(length, 64<<10)+bytes.MinRead))
	_, err := buf.ReadFrom(io.LimitReader(body, length))
	if err == io.ErrUnexpectedEOF {
		err = nil
	}
	return buf.Bytes(), err
}

// stripBody removes borrowed credentials from a body that is to carry the
// session. It sets x.inBody and leaves other bodies alone.
func (x *exchange) stripBody(q adapters.Query) error {
	if !x.adapter.PutsSessionInBody() || x.in.Body == nil {
		return nil
	}

	var err error
	x.inBody, err = x.adapter.StripJSON(q)
	if err == nil {
		return nil
	}
	if q.Truncated {
		return refuse(AmbiguousRequest, "the session at %s travels in the body, and this body is longer than %d bytes. Send less at once.", x.tunnel.host, peekLimit)
	}
	return refuse(AmbiguousRequest, "the session at %s travels in the JSON body. Send one JSON object, or a list of objects, as application/json "+
		"in UTF-8, with every name once, and with the objects that the session is put into.", x.tunnel.host).because(err)
}

// unclassified refuses a request that the adapter has no name for.
func (x *exchange) unclassified(why *adapters.Reason) *Refusal {
	adapter := x.adapter.Name()
	owner := x.adapter.Interim().Owner
	allows := x.grant().Allows()

	switch why.Kind {
	case adapters.NoActionMatches:
		return refuse(ActionUnclassified, "the adapter %s names no action for %s %s, so it cannot be approved. This task allows: %s. "+
			"The adapter's owner (%s) can name it.", adapter, x.in.Method, x.in.Path, allows, owner)
	case adapters.BodyTooLong:
		return refuse(ActionUnclassified, "the adapter %s names what %s %s does by its body, which is longer than the %d MiB that are read for it. This task allows: %s. "+
			"Send it in parts, or ask the adapter's owner (%s).", adapter, x.in.Method, x.in.Path, peekLimit>>20, allows, owner)
	}
	return refuse(ActionUnclassified, "the adapter %s cannot tell what %s %s does, because %s. This task allows: %s. "+
		"Send it so that every application reads it alike, or ask the adapter's owner (%s).", adapter, x.in.Method, x.in.Path, why.Kind, allows, owner)
}

// denied tells the agent what it asked for, what it may do instead, and who can
// allow more.
func (x *exchange) denied() *Refusal {
	what := x.action.Name
	if x.action.Resource != "" {
		what = fmt.Sprintf("%s on %q", x.action.Name, x.action.Resource)
	}

	sponsor := x.tunnel.task.Principal().Sponsor
	if Code(x.decision.Code) == PolicyDenied {
		return refuse(PolicyDenied, "%s is in this task's scope, but the policy %v forbids it now. The operator's policies decide that; ask %s, the sponsor, to take it up with them.",
			what, x.decision.Policies, sponsor)
	}
	return refuse(OutOfScope, "%s is outside this task's scope. It allows: %s. %s, the sponsor, can have a task with a wider scope made.",
		what, x.grant().Allows(), sponsor)
}
