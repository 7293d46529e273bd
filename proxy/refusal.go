package proxy

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Code is the stable name of a refusal. Users script against codes, so none is
// ever renamed or reused.
type Code string

// The codes, each with the one situation it stands for.
const (
	AuthRequired       Code = "auth_required"        // no task, or credentials that fit none
	TaskEnded          Code = "task_ended"           // the task was ended, was revoked or has expired
	HostNotAdapted     Code = "host_not_adapted"     // no adapter names the host
	Misdirected        Code = "misdirected"          // the request names another host than its tunnel
	AmbiguousRequest   Code = "ambiguous_request"    // two readers could understand it differently
	ActionUnclassified Code = "action_unclassified"  // the adapter names no action for it
	OutOfScope         Code = "out_of_scope"         // the task's grant does not cover it
	PolicyDenied       Code = "policy_denied"        // the grant covers it, but an operator's policy forbids it
	LoginByAgent       Code = "login_by_agent"       // only Byline logs in
	CredentialInPath   Code = "credential_in_path"   // a segment of the path is a credential that the agent borrowed
	CredentialInBody   Code = "credential_in_body"   // the body holds a credential that the agent borrowed
	LeaseUnavailable   Code = "lease_unavailable"    // no account is free
	LoginFailed        Code = "login_failed"         // Byline could not log in
	NotRecorded        Code = "not_recorded"         // no durable record, so no request
	UpstreamUnreached  Code = "upstream_unreachable" // the application did not answer, or not in HTTP
	UpstreamTLS        Code = "upstream_tls"         // the application's certificate could not be verified
	RenewNotReplayable Code = "renew_not_replayable" // the session ended under a request that must not be sent twice
	TooLarge           Code = "too_large"            // the head, or what must be held of the body, exceeds the limits
	TooManyTunnels     Code = "too_many_tunnels"     // the task has as many connections as it may have
	SecretInRequest    Code = "secret_in_request"    // the request holds a secret of the account that acts for its task
	OverBudget         Code = "over_budget"          // the task, or all tasks together, hold as many bytes as they may
	Drained            Code = "drained"              // the server was shut down before the answer ended
	BypassAttempted    Code = "bypass_attempted"     // an isolated program tried to reach something without Byline
)

// Codes that are about WebSockets.
const (
	WebSocketNotNamed Code = "websocket_not_named"   // the adapter does not say that this action opens one
	MessageCredential Code = "credential_in_message" // a message holds a borrowed credential
)

// Codes of records that are not refusals: no agent gets them as an answer.
const (
	AgentGone      Code = "agent_gone"      // outcome: the agent left before the answer ended
	LeaseLost      Code = "lease_lost"      // lease: it was not renewed in time, or another task took the account
	BorrowedSeen   Code = "borrowed_seen"   // alert: a borrowed session was seen for the first time
	BorrowedShared Code = "borrowed_shared" // alert: a borrowed session was seen with another agent
)

// codes holds what all refusals of one code have in common.
var codes = map[Code]struct {
	status int
	title  string
}{
	AuthRequired:       {http.StatusProxyAuthRequired, "A task must be named"},
	TaskEnded:          {http.StatusForbidden, "The task is over"},
	HostNotAdapted:     {http.StatusForbidden, "This host has no adapter"},
	Misdirected:        {http.StatusMisdirectedRequest, "The request names another host than its tunnel"},
	AmbiguousRequest:   {http.StatusBadRequest, "The request can be read in more than one way"},
	ActionUnclassified: {http.StatusForbidden, "The adapter names no action for this request"},
	OutOfScope:         {http.StatusForbidden, "The task's scope does not cover this"},
	PolicyDenied:       {http.StatusForbidden, "A policy forbids this"},
	LoginByAgent:       {http.StatusForbidden, "Agents do not log in here"},
	WebSocketNotNamed:  {http.StatusForbidden, "This action opens no WebSocket"},
	MessageCredential:  {http.StatusForbidden, "A message holds a credential"},
	CredentialInPath:   {http.StatusForbidden, "The path holds a credential"},
	CredentialInBody:   {http.StatusForbidden, "The body holds a credential"},
	LeaseUnavailable:   {http.StatusServiceUnavailable, "No account is free"},
	LoginFailed:        {http.StatusBadGateway, "Byline could not log in"},
	NotRecorded:        {http.StatusServiceUnavailable, "The request could not be put on record"},
	UpstreamUnreached:  {http.StatusBadGateway, "The application did not answer"},
	UpstreamTLS:        {http.StatusBadGateway, "The application's certificate was not accepted"},
	RenewNotReplayable: {http.StatusServiceUnavailable, "The session ended; this request was not sent again"},
	TooLarge:           {http.StatusRequestHeaderFieldsTooLarge, "The request is too large"},
	TooManyTunnels:     {http.StatusTooManyRequests, "The task has too many connections"},
	SecretInRequest:    {http.StatusForbidden, "The request holds a secret of the account"},
	OverBudget:         {http.StatusServiceUnavailable, "Too much is held at once"},
	Drained:            {http.StatusServiceUnavailable, "Byline was shut down"},
	BypassAttempted:    {http.StatusForbidden, "The program tried to go around Byline"},
	AgentGone:          {statusAgentGone, "The agent left"},
}

// Title is what all refusals with this code have in common, in a few words; empty for
// other codes.
func (c Code) Title() string { return codes[c].title }

// statusAgentGone is recorded for an exchange whose agent left before there was an
// answer. No agent reads it. Other proxies log the same number.
const statusAgentGone = 499

// Refusal is an answer that Byline itself gives: RFC 9457 problem details that an
// agent, often a language model, can act on. It is an error, so that a step of
// the walk returns it like any other. Detail says what was refused, what is
// allowed instead, and who can change that. It never holds a secret.
type Refusal struct {
	Code   Code
	Detail string
	Status int   // HTTP status; 0 stands for the code's own
	Retry  int   // seconds, sent as Retry-After; 0 sends none
	Cause  error // for the operator's log; never shown to the agent
}

// Error returns the code with the cause, or with the detail if there is no
// cause.
func (r *Refusal) Error() string {
	if r.Cause != nil {
		return fmt.Sprintf("%s: %v", r.Code, r.Cause)
	}
	return string(r.Code) + ": " + r.Detail
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// because sets the cause and returns r.
func (r *Refusal) because(err error) *Refusal {
	r.Cause = err
	return r
}

func (r *Refusal) status() int {
	if r.Status != 0 {
		return r.Status
	}
	return codes[r.Code].status
}

// asRefusal returns the refusal for any error of a step. An error that no step
// foresaw is refused as unreachable, without its text.
func asRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	var m *wire.Malformed
	if errors.As(err, &m) {
		return refuseMalformed(m)
	}
	return refuse(UpstreamUnreached, "the exchange failed inside the proxy; the operator's log has the cause").because(err)
}

// refuseMalformed returns the refusal for a message that the wire could not accept,
// with the remedy.
func refuseMalformed(m *wire.Malformed) *Refusal {
	remedy := "Send the request in one plain form (RFC 9112, RFC 9113)."
	switch m.Status {
	case http.StatusRequestTimeout:
		remedy = "Send it without such a pause."
	case http.StatusExpectationFailed:
		remedy = "Leave the Expect field out."
	case http.StatusRequestHeaderFieldsTooLarge:
		remedy = "Send fewer or shorter fields; the operator sets the limits (wire.max_head_bytes, wire.max_fields)."
	}
	return &Refusal{Code: Code(m.Code), Detail: m.Detail + ". " + remedy, Status: m.Status}
}

func refuseHostNotAdapted(authority string) *Refusal {
	return refuse(HostNotAdapted, "no adapter names %s, so nothing may go there. A security engineer can write one (byline adapter check explains how).", authority)
}

// refuseEnded returns the refusal for a task that is over; err says why it is.
func refuseEnded(err error) *Refusal {
	return refuse(TaskEnded, "%v. Ask its sponsor or the operator for a new task.", err)
}

// refuseUnreached returns the refusal for a round trip that failed on the
// application's side.
func refuseUnreached(host string, err error) *Refusal {
	var e *wire.Error
	if !errors.As(err, &e) {
		return refuse(UpstreamUnreached, "%s could not be reached.", host).because(err)
	}

	switch e.Stage {
	case wire.StageTLS:
		return refuse(UpstreamTLS, "the certificate of %s was not accepted. The operator's log says why. Its authority can be named in the adapter (upstream.ca), or the certificate itself (upstream.pin).", host).because(err)
	case wire.StageAddress:
		return refuse(UpstreamUnreached, "%s resolves to an address that Byline does not dial (private, loopback or link-local). "+
			"The operator can allow it in byline.yaml (guard.allow).", host).because(err)
	case wire.StageProxy:
		return refuse(UpstreamUnreached, "the proxy on the way to %s did not lead there. The operator names it in the adapter or in byline.yaml (upstream.proxy); "+
			"the operator's log has its answer.", host).because(err)
	case wire.StageTimeout:
		r := refuse(UpstreamUnreached, "%s did not answer in time.", host).because(err)
		r.Status = http.StatusGatewayTimeout
		return r
	}
	return refuse(UpstreamUnreached, "%s could not be reached or did not answer in HTTP (%s).", host, e.Stage).because(err)
}

// refuse logs and records the refusal and returns it as the answer. If the
// intent is already on record, the outcome is recorded once the answer is sent.
func (x *exchange) refuse(r *Refusal) *wire.Response {
	r = x.maskRefusal(r)
	log := x.server.opt.Log
	if r.Code == ActionUnclassified && log.GetLevel() <= zerolog.DebugLevel {
		path, _ := x.maskedNames()
		log.Debug().Str("adapter", x.adapter.Name()).Str("method", x.maskName(x.in.Method)).Str("path", path).Strs("near", x.notClassified.Lines(false)).Msg("no action")
	}

	if x.intent == "" {
		id := x.outcome(r.status(), r.Code, 0, 0)
		x.server.logRefusal(x.tunnel, r, id)
		resp := r.response(&x.in.Head, id)
		if told := x.attack.Load(); told != nil {
			resp.Done = func(int64, int64, error) { close(*told) }
		}
		return resp
	}

	x.server.logRefusal(x.tunnel, r, x.intent)
	resp := r.response(&x.in.Head, x.intent)
	resp.Done = func(sent, received int64, _ error) {
		if told := x.attack.Load(); told != nil {
			close(*told)
		}
		x.outcome(r.status(), r.Code, sent, received)
	}
	return resp
}

// maskRefusal returns r with the account's secrets masked in its texts (I1): they may
// quote what the application answered.
func (x *exchange) maskRefusal(r *Refusal) *Refusal {
	session := x.newestSession()
	if session == nil {
		return r
	}

	m, masked := session.Mask(), *r
	masked.Detail = m.Text(r.Detail)
	if r.Cause != nil {
		said := r.Cause.Error()
		if text := m.Text(said); text != said {
			masked.Cause = errors.New(text)
		}
	}
	return &masked
}

// logRefusal logs a refusal with its cause, which the agent does not see. Those
// without a cause are the agent's own and are logged at debug level. record is the id
// that the agent is told.
func (s *Server) logRefusal(t *tunnel, r *Refusal, record string) {
	e := s.opt.Log.Debug()
	if r.Cause != nil {
		e = s.opt.Log.Warn().Err(r.Cause)
	}
	if t != nil && t.task != nil {
		e = e.Str("task", t.task.ID())
	}
	if t != nil {
		e = e.Str("host", t.authority)
	}
	e.Str("code", string(r.Code)).Str("record", record).Msg("refused")
}
