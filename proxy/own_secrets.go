package proxy

import (
	"context"
)

// refuseOwnSecrets refuses a request that holds a secret of the account that acts
// for its task (I1). The agent never got it: it tries out candidates, of which the
// mask would show which one is right, or the secret has leaked. What stood in fields
// that are not carried counts as well. A body that streams is watched while it goes
// out.
func (x *exchange) refuseOwnSecrets(ctx context.Context) error {
	h := &x.in.Head
	what, found := "", false
	if path, _ := x.maskedNames(); path != h.Path {
		what, found = x.session.FindOwn(h.Path)
	}
	if !found && !isUsualMethod(h.Method) {
		what, found = x.session.FindOwn(h.Method)
	}
	if !found && h.AnnouncedTrailers != "" {
		what, found = x.session.FindOwn(h.AnnouncedTrailers)
	}
	if !found && h.Query != "" {
		what, found = x.session.FindOwn(h.Query)
	}
	if !found {
		what, found = x.session.FindOwnInFields(&x.hold.known, h.Fields)
	}
	if !found && len(x.body) > 0 {
		what, found = x.session.FindOwnIn(x.body)
	}
	if !found && x.bodyComplete {
		var err error
		what, found, err = x.session.FindOwnInCoded(x.body, h.Fields)
		if err != nil && !found {
			return refuse(AmbiguousRequest, "%s", err)
		}
	}
	if found {
		return x.quarantine(ctx, what)
	}

	if x.out.Body != nil && !(x.body != nil && x.bodyComplete) {
		watched := x.session.OwnReader(x.out.Body, h.Fields, func(what string) error {
			return x.quarantine(context.WithoutCancel(ctx), what)
		})
		x.out.Body = &watchedBody{watched, x.in.Body}
	}
	return nil
}
