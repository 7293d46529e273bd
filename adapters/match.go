package adapters

import "context"

// Query is one request as [Adapter.Classify] and [Adapter.NeedsBody] look at it.
type Query struct {
	Method      string
	Path        string // as received: not decoded
	RawQuery    string // as received, without "?"
	ContentType string
	Fields      []Field // the header, for actions that go by a field of it
	Body        []byte  // the start of the body, if NeedsBody asked for it
	Truncated   bool    // the body is longer than Body
	NoBody      bool    // the request has no body and goes out without a Content-Type
	Upload      *Upload // a multipart form, instead of Body

	// Context ends the classification: no further action is tried. Nil never ends it.
	Context context.Context
}

// isOver reports whether nobody waits for the classification any more.
func (q *Query) isOver() bool { return q.Context != nil && q.Context.Err() != nil }

// Action is what a request does, and to what.
type Action struct {
	Name       string
	Resource   string // "" if the action names none
	Privileged bool   // only its exact name grants it
	Safe       bool   // it changes nothing, although its method may
	Writes     bool   // it may change something, although its method should not
	Login      bool   // a page or a request of a login: refused to agents whatever the policy says

	// Socket reads the messages of the WebSocket that the request may open. It is nil if it must not open one.
	Socket *Socket
}

// verdict is what one rule, or one condition of it, says about a request.
type verdict uint8

const (
	differs   verdict = iota // the request is not this action; another rule may match
	matches                  // the request is this action
	unsure                   // what the rule needs cannot be read without doubt: no rule after it is tried
	needsBody                // the body decides and has not been read yet; only NeedsBody gets this
)

// Classify names the action of a request. It returns a Reason if no action matches, or if the request can be read in
// two ways: a parameter that decides comes twice, the path or the query does not decode, a body that decides is cut off
// or of an unclear type. The caller then refuses the request.
//
// Its time is linear in the length of the request for each action that is tried. If q.Context ends, it tries no further
// action and returns a Reason.
//
// Classify is safe for concurrent use. For a request that it names it allocates at most the resource and what parsing
// the query and the body takes.
func (a *Adapter) Classify(q Query) (Action, *Reason) {
	action, _, why := a.Read(q)
	return action, why
}

// Read is Classify for a request that is to be sent. It also returns what the request must be sent with, so that the
// application reads what Read decided on.
func (a *Adapter) Read(q Query) (Action, Outbound, *Reason) {
	r := requests.Get().(*request)
	defer r.release()

	if kind := r.init(a.rules, q); kind != "" {
		return Action{}, Outbound{}, r.reason(kind)
	}
	r.adapter = a
	if v, kind := r.overrideMethod(); v != matches {
		return Action{}, Outbound{}, r.reason(kind)
	}
	a.judgeQuery(r)
	if a.PutsSessionInBody() && mayBeJSON(&q) && !r.readJSON() {
		return Action{}, Outbound{}, r.reason(UnreadableBody)
	}

	for _, rule := range a.rules.candidates(r.method, r.path) {
		if q.isOver() {
			return Action{}, Outbound{}, r.reason(NoActionMatches)
		}
		var b bindings
		switch rule.match(r, &b).verdict {
		case matches:
			if !rule.verbatim && !r.readForJudge() {
				return Action{}, Outbound{}, r.reason(UnreadableBody)
			}
			if !rule.verbatim {
				a.judgeBody(r)
				if kind := a.judgeContent(r); kind != "" {
					return Action{}, Outbound{}, r.reason(kind)
				}
			}
			if r.out.LoginField != "" && !rule.names.Login {
				return loginAction, r.out, nil
			}
			if kind := r.writeOutbound(rule, &b); kind != "" {
				return Action{}, Outbound{}, r.reason(kind)
			}
			return rule.action(&b), r.out, nil
		case unsure, needsBody:
			return a.unnamed(r)
		}
	}
	return a.unnamed(r)
}

// loginAction is the action of a request that carries a field into which the adapter's login puts a secret.
var loginAction = Action{Name: "login", Login: true}

// unnamed returns why a request has no action, unless it would log in.
func (a *Adapter) unnamed(r *request) (Action, Outbound, *Reason) {
	why := r.explain()
	if r.readForJudge() {
		a.judgeBody(r)
		a.judgeContent(r)
	}
	if r.out.LoginField != "" {
		return loginAction, r.out, nil
	}
	return Action{}, Outbound{}, why
}

// BodyUse says what becomes of the body of a request.
type BodyUse uint8

// The uses of a body. A request that is refused without a look at its body has BodyUnread.
const (
	BodyUnread BodyUse = iota // it goes out as it came
	BodyJudged                // it goes out as it came, and is judged on its way: see Outbound.JudgeBody
	BodyRead                  // it may decide the action, or is of a type that is read as a whole
)

// NeedsBody reports whether the use of the body is BodyRead.
func (a *Adapter) NeedsBody(q Query) bool { return a.BodyUse(q) == BodyRead }

// BodyUse reports whether the caller reads the body before it calls Classify: because an action is decided by it, or
// because it is a form or JSON, in which credentials are looked for. It does not look at q.Body. If it is not BodyRead,
// Classify names the same action for any body and for none. A body that is judged may be read before that as well: it is
// then judged by Read, and need not be judged on its way.
func (a *Adapter) BodyUse(q Query) BodyUse {
	r := requests.Get().(*request)
	defer r.release()

	if kind := r.init(a.rules, q); kind != "" {
		return BodyUnread
	}
	if a.PutsSessionInBody() {
		return BodyRead
	}
	r.bodyUnknown = true
	r.adapter = a

	if v, _ := r.overrideMethod(); v == needsBody {
		return BodyRead
	} else if v != matches {
		return BodyUnread
	}
	for _, rule := range a.rules.candidates(r.method, r.path) {
		var b bindings
		switch rule.match(r, &b).verdict {
		case matches:
			return r.useFor(rule.verbatim)
		case unsure:
			return BodyUnread
		case needsBody:
			return BodyRead
		}
	}
	return r.useFor(len(a.loginFields) == 0)
}

// useFor is the use of a body by which no action is decided.
func (r *request) useFor(verbatim bool) BodyUse {
	switch {
	case verbatim || r.q.NoBody:
		return BodyUnread
	case r.isJudged():
		return BodyRead
	}
	return BodyJudged
}
