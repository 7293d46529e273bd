package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// swapSession returns a cookie of a new session of alice's.
func (a *endingApp) swapSession(n int) *http.Cookie {
	a.mu.Lock()
	defer a.mu.Unlock()
	sid := fmt.Sprintf("canary-swapped-%d-fedcba9876543210", n)
	a.live[sid] = "alice"
	return &http.Cookie{Name: "sid", Value: sid, Path: "/"}
}

// Whatever answer makes the session that of somebody else, nothing more is sent with
// it, and the agent gets nothing of that answer.
func TestI2ASwappedSessionIsNotUsedWhateverTheDoor(t *testing.T) {
	for name, door := range map[string]struct {
		method string
		answer func(w http.ResponseWriter, r *http.Request, c *http.Cookie)
		passes bool // the answer itself may reach the agent, because the cookie is not taken
	}{
		"an ordinary page": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			fmt.Fprint(w, "swapped")
		}, false},
		"a POST": {"POST", func(w http.ResponseWriter, r *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			http.Redirect(w, r, "/page/1", http.StatusSeeOther)
		}, false},
		"a redirect": {"GET", func(w http.ResponseWriter, r *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			http.Redirect(w, r, "/page/1", http.StatusFound)
		}, false},
		"an error": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			http.Error(w, "swapped", http.StatusInternalServerError)
		}, false},
		"304": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			w.WriteHeader(http.StatusNotModified)
		}, false},
		"two cookies, the account's last": {"GET", func(w http.ResponseWriter, r *http.Request, c *http.Cookie) {
			http.SetCookie(w, c)
			c.Path = "/page"
			http.SetCookie(w, c)
			own, _ := r.Cookie("sid")
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: own.Value, Path: "/"})
		}, false},
		"another name that wins": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			c.Path = "/page/"
			http.SetCookie(w, c)
		}, false},
		"a WebSocket": {"UPGRADE", func(w http.ResponseWriter, r *http.Request, c *http.Cookie) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nSet-Cookie: %s\r\n\r\n",
				websockettest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")), c)
			_ = buf.Flush()
			_ = conn.Close()
		}, false},
		"103": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			w.Header().Set("Set-Cookie", c.String())
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Set-Cookie")
			fmt.Fprint(w, "fine")
		}, true},
		"a trailer": {"GET", func(w http.ResponseWriter, _ *http.Request, c *http.Cookie) {
			fmt.Fprint(w, "fine")
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", c.String())
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := newEndingApp(t)
			var mu sync.Mutex
			var users []string
			swaps := 0
			a.page = a.showMe(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				users = append(users, a.userOf(r))
				swaps++
				n := swaps
				mu.Unlock()
				if r.URL.Path == "/page/2" {
					door.answer(w, r, a.swapSession(n))
					return
				}
				fmt.Fprint(w, "page of "+a.userOf(r))
			})
			edits := append([]string{`page/{id}"}, resource: "page/{id}"}
  - {name: page.edit`, `page/{id}"}, resource: "page/{id}", websocket: true}
  - {name: page.edit`}, identityEdits...)
			s := a.start(t, edits...)
			agent, task := s.newAgent(t, pagesSpec)
			if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !strings.Contains(body, "page of agent-01") {
				t.Fatalf("the first page is %s", body)
			}

			text := ""
			if door.method == "UPGRADE" {
				text = upgrade(t, agent)
			} else {
				agent.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				_, text, _ = sendAsAlice(t, agent, door.method, "/page/2", "")
			}
			if !door.passes && !hasCode(text, LoginByAgent) {
				t.Errorf("the agent got %.300s, want login_by_agent", text)
			}
			for range 3 {
				if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !strings.Contains(body, "page of agent-01") {
					t.Errorf("afterwards the agent got %s, want a page of agent-01", body)
				}
			}

			endTask(t, s, task.ID())
			mu.Lock()
			defer mu.Unlock()
			for _, user := range users {
				if user != "agent-01" {
					t.Errorf("requests were sent as %v, want agent-01 alone", users)
					break
				}
			}
		})
	}
}

// upgrade asks for a WebSocket at /page/2 and returns the answer to it.
func upgrade(t *testing.T, agent *http.Client) string {
	t.Helper()
	req, err := http.NewRequest("GET", "https://example.com/page/2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	resp, err := agent.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text [4096]byte
	n, _ := resp.Body.Read(text[:])
	return fmt.Sprintf("%d %s", resp.StatusCode, text[:n])
}

// A page that cannot say whose the session is leaves it in doubt: no login, no logout,
// and nothing is sent before it can.
func TestI2ASessionInDoubtStaysAndNothingIsSent(t *testing.T) {
	a := newEndingApp(t)
	var down atomic.Bool
	var arrived atomic.Int32
	a.page = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/page/me" && down.Load():
			http.Error(w, "down", http.StatusBadGateway)
		case r.URL.Path == "/page/me":
			fmt.Fprintf(w, "<b id=me>%s</b>", a.userOf(r))
		case r.URL.Query().Get("u") != "":
			down.Store(true)
			a.becomes(w, r.URL.Query().Get("u"))
		default:
			arrived.Add(1)
			fmt.Fprintf(w, "page of %s", a.userOf(r))
		}
	}
	for _, user := range []string{"agent-01", "alice"} {
		t.Run(user, func(t *testing.T) {
			down.Store(false)
			s := a.start(t, identityEdits...)
			agent, task := s.newAgent(t, pagesSpec)
			sendAsAlice(t, agent, "GET", "/page/1", "")
			before, _, _ := a.counts()
			arrived.Store(0)

			if _, body, header := sendAsAlice(t, agent, "GET", "/page/1?u="+user, ""); !hasCode(body, LoginFailed) || header.Get("Retry-After") == "" {
				t.Errorf("the request that changed the session got %s, want login_failed and Retry-After", body)
			}
			for range 5 {
				if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !hasCode(body, LoginFailed) {
					t.Errorf("while the session is in doubt a request got %s, want login_failed", body)
				}
			}
			if logins, _, _ := a.counts(); logins != before || arrived.Load() != 0 {
				t.Errorf("%d logins and %d requests while the session is in doubt, want none", logins-before, arrived.Load())
			}

			down.Store(false)
			waitFor(t, "a page", func() bool {
				_, body, _ := sendAsAlice(t, agent, "GET", "/page/1", "")
				if strings.Contains(body, "page of alice") {
					t.Fatal("a request was sent as alice")
				}
				return strings.Contains(body, "page of agent-01")
			})
			logins, _, _ := a.counts()
			if want := map[string]int{"agent-01": 0, "alice": 1}[user]; logins-before != want {
				t.Errorf("%d further logins for a session that is %s's, want %d", logins-before, user, want)
			}
			endTask(t, s, task.ID())
			if _, live, _ := a.counts(); user == "agent-01" && live > 1 { // the cookie before the rotation
				t.Errorf("I6: %d sessions are live after the task, want at most 1", live)
			}
		})
	}
}
