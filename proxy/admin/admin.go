// Package admin is the control API: tasks are made, listed and ended here, and
// a request is explained. It decides who may ask; what is done, the corridor's
// verbs do.
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

// Verbs are what the control API can do. The values returned are written as
// JSON. A nil verb answers 501. All may be called concurrently.
type Verbs struct {
	CreateTask func(ctx context.Context, spec TaskSpec) (Task, error)
	Tasks      func(ctx context.Context) ([]Task, error)
	Task       func(ctx context.Context, id string) (Task, error)
	EndTask    func(ctx context.Context, id string) (Task, error)
	Leases     func(ctx context.Context) ([]Lease, error)
	SignReview func(ctx context.Context, review SignOff) (Signed, error)
	Explain    func(ctx context.Context, question Question) (Explanation, error)
	Health     func() error // nil func: always well
	Ready      func() error // nil func: never ready
	Metrics    http.Handler
}

// Problem is a refusal with its remedy; a verb returns one to choose the
// status. Any other error of a verb answers 500 and its text stays here.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// Config says who may ask.
type Config struct {
	Token Token    // of TCP requests; the zero Token admits nobody over TCP
	Hosts []string // names besides loopback that Host may carry over TCP
	Lost  func(error)
}

// New returns the control API. It serves TCP and the Unix socket alike: on a
// connection that came through [ConnContext] with a Unix peer, the peer's uid
// decides; on any other the bearer token does.
func New(cfg Config, v Verbs) http.Handler {
	a := &api{cfg: cfg, verbs: v}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.probe(func() error {
		if v.Health == nil {
			return nil
		}
		return v.Health()
	}))
	mux.HandleFunc("GET /readyz", a.probe(func() error {
		if v.Ready == nil {
			return errors.New("not started")
		}
		return v.Ready()
	}))
	mux.Handle("GET /metrics", a.private(func(w http.ResponseWriter, r *http.Request) {
		if v.Metrics == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}
		v.Metrics.ServeHTTP(w, r)
	}))
	mux.Handle("POST /v1/tasks", a.private(takes(a, http.StatusCreated, "byline task create --help shows the form", v.CreateTask)))
	mux.Handle("POST /v1/explain", a.private(takes(a, http.StatusOK, "byline explain --help shows what it sends: task, or agent and scope; method, scheme, host, target, headers and body", v.Explain)))
	mux.Handle("POST /v1/reviews", a.private(takes(a, http.StatusCreated, "byline review --sign-off sends it in the right form: sponsor, from, to, digest and note", v.SignReview)))
	mux.Handle("GET /v1/tasks", a.private(lists(a, v.Tasks)))
	mux.Handle("GET /v1/leases", a.private(lists(a, v.Leases)))
	mux.Handle("GET /v1/tasks/{id}", a.private(names(a, v.Task)))
	mux.Handle("DELETE /v1/tasks/{id}", a.private(names(a, v.EndTask)))
	mux.Handle("/", a.private(func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, 0, nil, &Problem{http.StatusNotFound, "not_found", "no such path or method: " + r.Method + " " + r.URL.Path,
			"the control API has /v1/tasks, /v1/tasks/{id}, /v1/leases, /v1/explain, /v1/reviews, /healthz, /readyz and /metrics"})
	}))
	return a.sameHost(mux)
}

// Server returns an http.Server for h with the time-outs of the control API.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ConnContext: ConnContext, ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout: 15 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}

type api struct {
	cfg   Config
	verbs Verbs
}

var errNoVerb = &Problem{http.StatusNotImplemented, "not_implemented", "this server does not do that", ""}

func (a *api) probe(ask func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ask(); err != nil {
			a.answer(w, 0, nil, &Problem{http.StatusServiceUnavailable, "not_ready", err.Error(), "see the server's log"})
			return
		}
		a.answer(w, http.StatusOK, map[string]string{"status": "ok"}, nil)
	}
}

// takes serves a verb whose argument is the JSON body. form is the remedy for a
// body that does not have the form of In.
func takes[In, Out any](a *api, status int, form string, verb func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			a.answer(w, 0, nil, &Problem{http.StatusUnsupportedMediaType, "bad_request", "the body is not declared as JSON", "send Content-Type: application/json"})
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			a.answer(w, 0, nil, &Problem{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is longer than %d bytes or broke off", maxBody), "send less"})
			return
		}
		var in In
		if err := decode(body, &in, form); err != nil {
			a.answer(w, 0, nil, err)
			return
		}
		out, err := verb(r.Context(), in)
		a.answer(w, status, out, err)
	}
}

func lists[Out any](a *api, verb func(context.Context) ([]Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}
		out, err := verb(r.Context())
		a.answer(w, http.StatusOK, out, err)
	}
}

func names[Out any](a *api, verb func(context.Context, string) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if verb == nil {
			a.answer(w, 0, nil, errNoVerb)
			return
		}
		out, err := verb(r.Context(), r.PathValue("id"))
		a.answer(w, http.StatusOK, out, err)
	}
}

// answer writes out, or the problem that err is.
func (a *api) answer(w http.ResponseWriter, status int, out any, err error) {
	kind := "application/json"
	if err != nil {
		var p *Problem
		if !errors.As(err, &p) {
			if a.cfg.Lost != nil {
				a.cfg.Lost(err)
			}
			p = &Problem{http.StatusInternalServerError, "failed", "the server could not do that", "see the server's log"}
		}
		kind, status = "application/problem+json", p.Status
		out = struct {
			Type  string `json:"type"`
			Title string `json:"title"`
			*Problem
		}{"about:blank", http.StatusText(p.Status), p}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}
