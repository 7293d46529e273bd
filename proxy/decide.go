package proxy

import (
	"context"
	"fmt"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// decide asks the adapter what the request does and the policy whether the task
// may do it.
func (x *exchange) decide(ctx context.Context) error {
	if err := x.holdMemory(ctx); err != nil {
		return err
	}
	if err := x.peek(); err != nil {
		return err
	}
	x.keepBody()

	q := x.queryWithBody()
	if err := x.stripBody(q); err != nil {
		return err
	}

	action, outbound, why := x.adapter.Read(q)
	if why != nil {
		if over := x.tunnel.task.Active(); over != nil {
			return refuseEnded(over)
		}
		x.notClassified = why
		return x.refuseUnclassified(why)
	}
	x.action, x.outbound = action, outbound
	if outbound.RewritesBody && !outbound.IsUpload() {
		x.body = outbound.Body
	}

	h := &x.in.Head
	if outbound.LoginField != "" {
		return x.loginByField(outbound.LoginField)
	}
	if action.Login {
		return refuse(LoginByAgent, "%s is a login page. Byline itself logs in, with an account that is checked out for this task. "+
			"Go straight to the page you need: your requests are already authenticated.", h.Path)
	}

	if len(outbound.Credentials) > 0 {
		x.borrowed = outbound.Credentials
		return credentialInBody(x.adapter, outbound.Credentials[0].Name)
	}

	x.decision = x.grant().Decide(policy.Request{
		Adapter: x.adapter.Name(), Action: action.Name, Resource: action.Resource, Privileged: action.Privileged,
		Method: h.Method, Host: x.tunnel.host, Path: h.Path, Now: x.started,
	})
	if x.decision.Effect != policy.Permit {
		return x.refuseDenied()
	}
	if h.Upgrade != "" && action.Socket == nil {
		return refuse(WebSocketNotNamed, "%s is the action %s of the adapter %s, which does not say that it opens a WebSocket. "+
			"The adapter's owner (%s) can allow that (websocket: true).", h.Path, action.Name, x.adapter.Name(), x.adapter.Interim().Owner)
	}
	return nil
}

// loginByField refuses a request that would log in by a field.
func (x *exchange) loginByField(name string) *Refusal {
	return refuse(LoginByAgent, "the field %q is one in which %s takes the secret of a login. Byline itself logs in, with an account that is checked out for this task. "+
		"Leave the field out: your requests are already authenticated.", name, x.tunnel.host)
}

// refuseFinding returns the refusal for what was found in a body while it was sent. The
// wire takes it for a fault of the agent's body, and cuts the connection.
func (x *exchange) refuseFinding(f adapters.BodyFinding) error {
	var r *Refusal
	switch {
	case f.LoginField != "":
		r = x.loginByField(f.LoginField)
	case f.Credential != nil:
		r = credentialInBody(x.adapter, f.Credential.Name)
		x.trailerBorrowed.set([]adapters.Borrowed{*f.Credential})
	default:
		r = refuse(AmbiguousRequest, "%s. If the application takes the body for a file, the adapter's owner (%s) can say so (verbatim).", f.Unreadable.Text, x.adapter.Interim().Owner)
	}
	x.bodyFault.Store(&adapters.BodyError{Text: r.Detail})
	return r
}

// credentialInBody refuses a body that holds a credential under a name.
func credentialInBody(a *adapters.Adapter, name string) *Refusal {
	return refuse(CredentialInBody, "the field %q of the body holds a credential, or has the name of one. Leave it out: your requests are already authenticated. "+
		"If the application means something else by it, the adapter's owner (%s) can let it through by name (body.pass).", name, a.Interim().Owner)
}

// query returns what the adapter classifies the request by, without the body.
func (x *exchange) query() adapters.Query {
	h := &x.in.Head
	return adapters.Query{Context: x.tunnel.task.Context(), Method: h.Method, Path: h.Path, RawQuery: h.Query,
		ContentType: wire.Value(h.Fields, "Content-Type"), Fields: h.Fields, NoBody: x.in.Body == nil}
}

// queryWithBody returns what the adapter classifies the request by, with as much
// of the body as peek has read.
func (x *exchange) queryWithBody() adapters.Query {
	q := x.query()
	q.Body, q.Upload = x.body, x.upload
	q.Truncated = x.body != nil && !x.bodyComplete
	return q
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
		return refuse(AmbiguousRequest, "the session at %s travels in the body, and this body is longer than %d bytes. Send less at once.", x.tunnel.host, x.maxReadBody())
	}
	return refuse(AmbiguousRequest, "the session at %s travels in the JSON body. Send one JSON object, or a list of objects, as application/json "+
		"in UTF-8, with every name once, and with the objects that the session is put into.", x.tunnel.host).because(err)
}

// refuseUnclassified refuses a request that the adapter has no name for.
func (x *exchange) refuseUnclassified(why *adapters.Reason) *Refusal {
	adapter := x.adapter.Name()
	owner := x.adapter.Interim().Owner
	allows := x.grant().Allows()

	switch why.Kind {
	case adapters.NoActionMatches:
		return refuse(ActionUnclassified, "the adapter %s names no action for %s %s, so it cannot be approved. This task allows: %s. "+
			"The adapter's owner (%s) can name it.", adapter, x.in.Method, x.in.Path, allows, owner)
	case adapters.BodyTooLong:
		return x.bodyTooLarge()
	}
	return refuse(AmbiguousRequest, "the adapter %s cannot tell what %s %s does, because %s. "+
		"Send it so that every application reads it alike, or ask the adapter's owner (%s).", adapter, x.in.Method, x.in.Path, why.Doubt(), owner)
}

// refuseDenied tells the agent what it asked for, what it may do instead, and who can
// allow more.
func (x *exchange) refuseDenied() *Refusal {
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
