// Package admin is the control API: operators create, list and end tasks through
// it, have requests explained and sign off reviews. It decides who may ask; the
// verbs that it is given do the work.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// maxBody bounds a request body, in bytes.
const maxBody = 256 << 10

// Verbs are what the control API can do. All of them may be called concurrently.
// A nil verb is answered with 501. An error that is a [Problem] chooses the
// answer; any other error is answered with 500 and reported to [Config.Lost].
type Verbs struct {
	CreateTask func(ctx context.Context, spec TaskSpec) (Task, error)
	Tasks      func(ctx context.Context, query TaskQuery) (TaskPage, error)
	Task       func(ctx context.Context, id string) (Task, error)
	EndTask    func(ctx context.Context, id string) (Task, error) // an operator ends it
	FinishTask func(ctx context.Context, id string) (Task, error) // the program that it was for has ended
	// EndTaskForSponsor is EndTask for an operator whom the task's sponsor has asked.
	EndTaskForSponsor func(ctx context.Context, id string) (Task, error)
	HoldTask          func(ctx context.Context, id string) (Lifeline, error)
	// Resolve says for a program of the task whether a name leads anywhere.
	Resolve func(ctx context.Context, id string, question NameQuestion) (NameAnswer, error)
	// RecordAttempts puts on record what a program of the task tried without Byline.
	RecordAttempts func(ctx context.Context, id string, attempts Attempts) (Attempts, error)
	Leases         func(ctx context.Context) ([]Lease, error)   // must not return nil: an empty list is written as []
	Accounts       func(ctx context.Context) ([]Account, error) // must not return nil, as Leases
	// RetryAccount allows a login with an account. id is ADAPTER/ACCOUNT.
	RetryAccount func(ctx context.Context, id string) (Account, error)
	SignReview   func(ctx context.Context, review SignOff) (Signed, error)
	// AcceptRollback puts on record that the log is known to have lost records.
	AcceptRollback func(ctx context.Context, acceptance Acceptance) (AcceptedRollback, error)
	// RecordArchived puts on record that a segment of the log was moved or removed.
	RecordArchived func(ctx context.Context, segment ArchivedSegment) (Signed, error)
	Explain        func(ctx context.Context, question Question) (Explanation, error)
	Health         func() error // nil func: always healthy
	Ready          func() error // nil func: never ready
	Metrics        http.Handler
}

// Problem is a refusal with its remedy, written as application/problem+json
// (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

var errNoVerb = &Problem{Status: http.StatusNotImplemented, Code: "not_implemented", Detail: "this server does not do that"}

// Config says who may ask.
type Config struct {
	Token Token       // required of TCP requests; the zero Token admits nobody over TCP
	Hosts []string    // names that Host may carry over TCP, besides addresses and localhost
	Lost  func(error) // called with each error whose text the answer withholds; nil: no call
}

// New returns the control API. It serves TCP and the Unix socket alike: on a
// connection that [ConnContext] marked as a Unix connection the uid of the peer
// decides who may ask, on any other the bearer token.
func New(cfg Config, v Verbs) http.Handler {
	a := &api{cfg: cfg, verbs: v}
	mux := http.NewServeMux()

	mux.HandleFunc("GET /healthz", a.serveProbe(func() error {
		if v.Health == nil {
			return nil
		}
		return v.Health()
	}))
	mux.HandleFunc("GET /readyz", a.serveProbe(func() error {
		if v.Ready == nil {
			return errors.New("not started")
		}
		return v.Ready()
	}))

	mux.Handle("GET /metrics", a.requireOperator(a.serveMetrics))
	mux.Handle("GET /v1/tasks", a.requireOperator(a.serveTasks))
	mux.Handle("GET /v1/tasks/{id}", a.requireOperator(serveID(a, v.Task)))
	mux.Handle("DELETE /v1/tasks/{id}", a.requireOperator(a.serveEnd))
	mux.Handle("POST /v1/tasks/{id}/lifeline", a.requireOperator(a.serveLifeline))
	mux.Handle("POST /v1/tasks/{id}/names", a.requireOperator(serveBodyOf(a, http.StatusOK, v.Resolve, isolateRemedy)))
	mux.Handle("POST /v1/tasks/{id}/attempts", a.requireOperator(serveBodyOf(a, http.StatusCreated, v.RecordAttempts, isolateRemedy)))
	mux.Handle("GET /v1/leases", a.requireOperator(serveList(a, v.Leases)))
	mux.Handle("GET /v1/accounts", a.requireOperator(serveList(a, v.Accounts)))
	mux.Handle("POST /v1/accounts/{adapter}/{account}/retry", a.requireOperator(serveAccount(a, v.RetryAccount)))

	// Each body has a remedy for one that does not have its form.
	mux.Handle("POST /v1/tasks", a.requireOperator(serveBody(a, http.StatusCreated, v.CreateTask,
		"byline task create --help shows the form")))
	mux.Handle("POST /v1/explain", a.requireOperator(serveBody(a, http.StatusOK, v.Explain,
		"byline explain --help shows what it sends: task, or agent and scope; method, scheme, host, target, headers and body")))
	mux.Handle("POST /v1/reviews", a.requireOperator(serveBody(a, http.StatusCreated, v.SignReview,
		"byline review --sign-off sends it in the right form: sponsor, from, to, digest and note")))
	mux.Handle("POST /v1/audit/rollback", a.requireOperator(serveBody(a, http.StatusCreated, v.AcceptRollback,
		"byline audit accept-rollback sends it in the right form: by and why")))
	mux.Handle("POST /v1/audit/archived", a.requireOperator(serveBody(a, http.StatusCreated, v.RecordArchived,
		"byline audit archive sends it in the right form")))

	mux.Handle("/", a.requireOperator(a.serveNotFound))
	return a.requireKnownHost(mux)
}

// Server returns an http.Server for h with the timeouts of the control API.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ConnContext:       ConnContext,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

type api struct {
	cfg   Config
	verbs Verbs
}

// serveProbe answers 200 while check returns nil, 503 with its error otherwise.
// It admits everybody: load balancers and service managers have no token.
func (a *api) serveProbe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusServiceUnavailable,
				Code:   "not_ready",
				Detail: err.Error(),
				Remedy: "see the server's log",
			})
			return
		}
		a.answer(w, http.StatusOK, map[string]string{"status": "ok"}, nil)
	}
}

func (a *api) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if a.verbs.Metrics == nil {
		a.answer(w, 0, nil, errNoVerb)
		return
	}
	a.verbs.Metrics.ServeHTTP(w, r)
}

func (a *api) serveNotFound(w http.ResponseWriter, r *http.Request) {
	a.answer(w, 0, nil, &Problem{
		Status: http.StatusNotFound,
		Code:   "not_found",
		Detail: "no such path or method: " + r.Method + " " + r.URL.Path,
		Remedy: "the control API has /v1/tasks, /v1/tasks/{id}, /v1/tasks/{id}/lifeline, /v1/tasks/{id}/names, /v1/tasks/{id}/attempts, /v1/leases, /v1/accounts, /v1/accounts/{adapter}/{account}/retry, /v1/explain, /v1/reviews, /v1/audit/rollback, /v1/audit/archived, /healthz, /readyz and /metrics",
	})
}

// serveBody serves a verb whose argument is the JSON body. It answers with status
// if the verb succeeds. remedy is given for a body that does not have the form of In.
func serveBody[In, Out any](a *api, status int, verb func(context.Context, In) (Out, error), remedy string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}

		// A web page can send other types across origins without a preflight.
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusUnsupportedMediaType,
				Code:   "bad_request",
				Detail: "the body is not declared as JSON",
				Remedy: "send Content-Type: application/json",
			})
			return
		}

		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			a.answer(w, 0, nil, &Problem{
				Status: http.StatusRequestEntityTooLarge,
				Code:   "too_large",
				Detail: fmt.Sprintf("the body is longer than %d bytes or broke off", maxBody),
				Remedy: "send less",
			})
			return
		}

		var in In
		if err := decode(body, &in, remedy); err != nil {
			a.answer(w, 0, nil, err)
			return
		}

		out, err := verb(r.Context(), in)
		a.answer(w, status, out, err)
	}
}

// isolateRemedy is given for a body that does not have its form.
const isolateRemedy = "byline run --isolate sends it in the right form"

// serveBodyOf is serveBody for a verb that also takes the id in the path.
func serveBodyOf[In, Out any](a *api, status int, verb func(context.Context, string, In) (Out, error), remedy string) http.HandlerFunc {
	if verb == nil {
		return serveBody[In, Out](a, status, nil, remedy)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		serveBody(a, status, func(ctx context.Context, in In) (Out, error) {
			return verb(ctx, r.PathValue("id"), in)
		}, remedy)(w, r)
	}
}

// serveList serves a verb that takes no argument.
func serveList[Out any](a *api, verb func(context.Context) ([]Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}

		out, err := verb(r.Context())
		a.answer(w, http.StatusOK, out, err)
	}
}

// serveID serves a verb whose argument is the id in the path.
func serveID[Out any](a *api, verb func(context.Context, string) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}

		out, err := verb(r.Context(), r.PathValue("id"))
		a.answer(w, http.StatusOK, out, err)
	}
}

// serveEnd serves the end of a task. The query says who ends it: nobody else than an
// operator if there is none. Any other query is refused: the record must not name the
// wrong one.
func (a *api) serveEnd(w http.ResponseWriter, r *http.Request) {
	switch r.URL.RawQuery {
	case "", EndedByOperator:
		serveID(a, a.verbs.EndTask)(w, r)
	case EndedByProgram:
		serveID(a, a.verbs.FinishTask)(w, r)
	case EndedBySponsor:
		serveID(a, a.verbs.EndTaskForSponsor)(w, r)
	default:
		a.answer(w, 0, nil, &Problem{
			Status: http.StatusBadRequest,
			Code:   "bad_query",
			Detail: "the query of this request says who ends the task, and is none of " + EndedByOperator + ", " + EndedByProgram + ", " + EndedBySponsor,
			Remedy: "leave it out if an operator ends the task; the task goes on",
		})
	}
}

// The queries of a request that ends a task.
const (
	EndedByOperator = "by=operator" // as without a query
	EndedByProgram  = "by=program"  // the program that it was created for has ended
	EndedBySponsor  = "by=sponsor"  // an operator ends it because its sponsor asks for it
)

// serveAccount serves a verb whose argument is the account in the path.
func serveAccount[Out any](a *api, verb func(context.Context, string) (Out, error)) http.HandlerFunc {
	one := serveID(a, verb)
	return func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("id", r.PathValue("adapter")+"/"+r.PathValue("account"))
		one(w, r)
	}
}

// answer writes out with status, or the problem of err. The text of an error that is
// not a [Problem] may name files or secrets, so it is reported and not sent.
func (a *api) answer(w http.ResponseWriter, status int, out any, err error) {
	kind := "application/json"
	if err != nil {
		var p *Problem
		if !errors.As(err, &p) {
			if a.cfg.Lost != nil {
				a.cfg.Lost(err)
			}
			p = &Problem{
				Status: http.StatusInternalServerError,
				Code:   "failed",
				Detail: "the server could not do that",
				Remedy: "see the server's log",
			}
		}

		kind, status = "application/problem+json", p.Status
		out = struct {
			Type  string `json:"type"`
			Title string `json:"title"`
			*Problem
		}{"about:blank", http.StatusText(p.Status), p}
	}

	setAnswerFields(w, kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // fails only if the client has gone
}

// setAnswerFields sets the fields of every answer.
func setAnswerFields(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
