package proxy

import (
	"context"
	"sync"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// strip builds the head that may go out from what was understood of the agent's
// (I2). Credentials that the agent borrowed are not carried over; x.borrowed
// keeps them for the record. It is called a second time if the request is sent
// again with a new session.
func (x *exchange) strip() {
	in := &x.in.Head
	x.out.Head = wire.Head{
		Proto: in.Proto, Method: in.Method, Scheme: in.Scheme, Authority: in.Authority,
		Path: in.Path, HasQuery: in.HasQuery, Length: in.Length, Upgrade: in.Upgrade,
		ExpectContinue: in.ExpectContinue && x.body == nil && x.upload == nil, AcceptsTrailers: in.AcceptsTrailers, AnnouncedTrailers: in.AnnouncedTrailers,
	}

	x.out.Fields, x.cookies, x.borrowed = x.adapter.Strip(make([]wire.Field, 0, len(in.Fields)+4), in.Fields)

	x.reportHeldFields()

	query := in.Query
	if x.outbound.RewritesQuery {
		query = x.outbound.Query
	}
	var inQuery []adapters.Borrowed
	x.out.Query, inQuery = x.adapter.StripQuery(query)
	x.out.HasQuery = in.HasQuery && (x.out.Query != "" || in.Query == "")
	x.borrowed = append(x.borrowed, x.inPath...)
	x.borrowed = append(x.borrowed, inQuery...)
	x.borrowed = append(x.borrowed, x.inBody...)

	x.setOutBody()
	x.out.Interim, x.out.Trailers = nil, nil
	if x.in.Interim != nil {
		x.out.Interim = x
	}
	if x.in.Trailers != nil {
		x.out.Trailers = x.outTrailers
	}
}

// refuseStrippedParameter refuses a request from which strip removed a parameter by
// which the adapter tells actions apart (I11): without it the application may read
// another action, or another resource, than the one that was decided on.
func (x *exchange) refuseStrippedParameter() error {
	for i := range x.borrowed {
		if b := &x.borrowed[i]; b.Decides {
			return refuse(AmbiguousRequest, "the parameter %q of the query says what the request does, and holds what looks like a credential, which is removed. "+
				"Leave it out, or send another value. If the application means something else by it, the adapter's owner (%s) can let it through by name (query.pass).",
				b.Name, x.adapter.Interim().Owner)
		}
	}
	return nil
}

// reportHeldFields counts the header fields that nothing names, and logs their
// names at debug level, so that the author of the adapter sees what to pass.
func (x *exchange) reportHeldFields() {
	held := 0
	for i := range x.borrowed {
		if x.borrowed[i].Held {
			held++
		}
	}
	if held == 0 || x.server == nil || x.server.metrics == nil {
		return
	}

	x.server.metrics.of(x.adapter.Name()).held.Add(float64(held))
	if log := x.server.opt.Log; log.GetLevel() <= zerolog.DebugLevel {
		var names []string
		for i := range x.borrowed {
			if x.borrowed[i].Held {
				names = append(names, x.maskName(x.borrowed[i].Name))
			}
		}
		path, _ := x.maskedNames()
		log.Debug().Str("adapter", x.adapter.Name()).Str("path", path).Strs("fields", names).Msg("held header fields; headers.pass, or headers.subprotocols, lets them through")
	}
}

// stripNamesOfSession removes parameters with the names of the session's cookies
// from the query and from header fields, and refuses a body with such a field. Names are known only now:
// the login set them.
func (x *exchange) stripNamesOfSession() error {
	query, inQuery := x.adapter.StripQueryOf(x.session, x.out.Query)
	if len(inQuery) > 0 {
		x.out.Query, x.out.HasQuery = query, query != ""
		x.borrowed = append(x.borrowed, inQuery...)
	}
	var inFields []adapters.Borrowed
	x.out.Fields, inFields = x.adapter.StripFieldsOf(x.session, x.out.Fields)
	x.borrowed = append(x.borrowed, inFields...)

	name := x.adapter.SessionCookieInBody(x.session, &x.outbound)
	if name != "" {
		x.borrowed = append(x.borrowed, adapters.Borrowed{In: "body", Name: name, Session: true})
		return credentialInBody(x.adapter, name)
	}
	return nil
}

// lateBorrowed holds the credentials that an agent sent after its body. By then
// the intent is on record, so the outcome names them. The goroutine that sends
// the request sets them, the one that records the outcome reads them.
type lateBorrowed struct {
	mu  sync.Mutex
	all []adapters.Borrowed
}

func (l *lateBorrowed) set(all []adapters.Borrowed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = all
}

func (l *lateBorrowed) get() []adapters.Borrowed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// outTrailers returns the agent's trailer fields, stripped by the rules for
// trailers (I2): digests, and what headers.pass names.
func (x *exchange) outTrailers() []wire.Field {
	in := x.in.Trailers()
	if len(in) == 0 {
		return nil
	}

	for _, f := range in {
		what, found := x.session.FindOwn(f.Name)
		if !found {
			what, found = x.session.FindOwn(f.Value)
		}
		if found { // the body is on its way, so the request has its intent
			x.bodyFault.Store(&adapters.BodyError{Text: x.quarantine(context.Background(), what).Error()})
			return nil
		}
	}

	out, borrowed := x.adapter.StripTrailers(in)
	x.trailerBorrowed.set(borrowed)
	return x.keepContentFields(out)
}
