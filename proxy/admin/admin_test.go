package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// testVerbs answer with what they were asked, fail for the task t_broken, and
// leave out some verbs.
func testVerbs() Verbs {
	return Verbs{
		CreateTask: func(_ context.Context, s TaskSpec) (Task, error) { return Task{Agent: s.Agent}, nil },
		Explain:    func(context.Context, Question) (Explanation, error) { return Explanation{}, nil },
		SignReview: func(context.Context, SignOff) (Signed, error) { return Signed{}, nil },
		Tasks: func(context.Context, TaskQuery) (TaskPage, error) {
			return TaskPage{Tasks: slices.Values([]Task{})}, nil
		},
		Task: func(_ context.Context, id string) (Task, error) {
			if id == "t_broken" {
				return Task{}, errors.New("internal canary")
			}
			return Task{ID: id}, nil
		},
		EndTask: func(context.Context, string) (Task, error) {
			return Task{}, &Problem{404, "not_found", "no such task", "list them"}
		},
		Ready: func() error { return errors.New("disk full") },
	}
}

// TestControlAPI sends one request of each kind, good and bad, with the token.
func TestControlAPI(t *testing.T) {
	token := strings.Repeat("k", 32)
	h := New(Config{Token: newToken(token), Hosts: []string{"byline.acme.example"}}, testVerbs())
	for _, c := range []struct {
		name, method, path, body string
		set                      map[string]string
		status                   int
		want                     string
	}{
		{"list", "GET", "/v1/tasks", "", nil, 200, "[]"},
		{"create", "POST", "/v1/tasks", `{"agent":"a"}`, nil, 201, `"agent":"a"`},
		{"unknown field", "POST", "/v1/tasks", `{"agnet":"a"}`, nil, 400, "agnet"},
		{"two values", "POST", "/v1/tasks", `{} {}`, nil, 400, "follows"},
		{"too large", "POST", "/v1/tasks", `"` + strings.Repeat("a", maxBody) + `"`, nil, 413, "too_large"},
		{"a form post", "POST", "/v1/tasks", `{}`, map[string]string{"Content-Type": "text/plain"}, 415, "application/json"},
		{"one", "GET", "/v1/tasks/t_1", "", nil, 200, "t_1"},
		{"the verb chooses the status", "DELETE", "/v1/tasks/t_1", "", nil, 404, "list them"},
		{"the verb breaks", "GET", "/v1/tasks/t_broken", "", nil, 500, "server's log"},
		{"no verb", "GET", "/v1/leases", "", nil, 501, "not_implemented"},
		{"no metrics", "GET", "/metrics", "", nil, 501, "not_implemented"},
		{"wrong method", "PUT", "/v1/tasks", "", nil, 404, "PUT"},
		{"no token", "GET", "/v1/tasks", "", map[string]string{"Authorization": ""}, 401, "auth_required"},
		{"wrong token", "GET", "/v1/tasks", "", map[string]string{"Authorization": "Bearer x"}, 401, "auth_required"},
		{"well without token", "GET", "/healthz", "", map[string]string{"Authorization": ""}, 200, "ok"},
		{"not ready", "GET", "/readyz", "", nil, 503, "disk full"},
		{"rebound name", "GET", "/v1/tasks", "", map[string]string{"Host": "evil.example"}, 421, "misdirected"},
		{"configured name", "GET", "/v1/tasks", "", map[string]string{"Host": "byline.acme.example:8081"}, 200, "[]"},
		{"web page", "GET", "/v1/tasks", "", map[string]string{"Origin": "http://localhost"}, 421, "misdirected"},
		{"IPv6", "GET", "/v1/tasks", "", map[string]string{"Host": "[::1]:8081"}, 200, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Host = "127.0.0.1:8081"
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			for k, v := range c.set {
				if k == "Host" {
					r.Host = v
				}
				r.Header.Set(k, v)
				if v == "" {
					r.Header.Del(k)
				}
			}

			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)

			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Fatalf("%s %s: got %d %s, want %d with %q", c.method, c.path, w.Code, w.Body, c.status, c.want)
			}
			if strings.Contains(w.Body.String(), "canary") || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Fatalf("the answer reveals an internal error or allows other origins: %v %s", w.Header(), w.Body)
			}
			if c.status >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("a problem has the type %q, want application/problem+json", w.Header().Get("Content-Type"))
			}
		})
	}
}

// TestAMisspeltKeyIsNamedWithTheRemedyOfItsRequest sends each request that has
// a body with a key that it does not have.
func TestAMisspeltKeyIsNamedWithTheRemedyOfItsRequest(t *testing.T) {
	token := strings.Repeat("k", 32)
	h := New(Config{Token: newToken(token)}, testVerbs())
	for path, remedy := range map[string]string{
		"/v1/tasks":   "byline task create --help",
		"/v1/explain": "byline explain --help",
		"/v1/reviews": "byline review --sign-off",
	} {
		r := httptest.NewRequest("POST", path, strings.NewReader(`{"misspelt":1}`))
		r.Host = "127.0.0.1:8081"
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")

		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)

		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if w.Code != 400 || !strings.Contains(p.Detail, "misspelt") || !strings.HasPrefix(p.Remedy, remedy) {
			t.Errorf("POST %s with an unknown key: got %d %+v, want 400 and a remedy that begins %q", path, w.Code, p, remedy)
		}
	}
}
