package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/vault"
)

const formAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "%s", ca: "%s", protocol: h1}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}]
actions:
  - {name: page.edit, match: {method: POST, path: "/page/{id}", form: {wpSave: "*"}}, resource: "page/1"}
  - {name: page.read, match: {path: "/**"}, resource: "page/1"}
`

// startFormServer starts a server that reads forms in order to classify them, with
// 8 MiB for a task and 32 MiB for all, of which requests wait for half a second.
func startFormServer(t *testing.T, handler http.HandlerFunc) *testServer {
	t.Helper()
	app := httptest.NewTLSServer(requireSession(t, "h1", handler))
	t.Cleanup(app.Close)
	rules := loadRules(t, fmt.Sprintf(formAdapter, app.URL, writeCertificate(t, app)))
	s := startServer(t, t.TempDir(), rules, func(o *Options) {
		o.Wire.MaxTaskHeldBytes, o.Wire.MaxHeldBytes = 8<<20, 32<<20
		secrets := map[string]string{"username": "agent-02", "password": canaryPassword}
		putAccount(t, o.Vault.(*vault.File), "legacy", "agent-02", secrets)
	})
	s.budget.wait = 500 * time.Millisecond
	return s
}

// watchHeld samples what the budget holds until stop is called, which returns the
// largest values: of one task and of all.
func (s *testServer) watchHeld() (stop func() (task, all int64)) {
	done, result := make(chan struct{}), make(chan [2]int64, 1)
	go func() {
		var most [2]int64
		for {
			s.budget.mu.Lock()
			s.tasks.Range(func(_, v any) bool {
				most[0] = max(most[0], v.(*task).budget.held)
				return true
			})
			most[1] = max(most[1], s.budget.held)
			s.budget.mu.Unlock()
			select {
			case <-done:
				result <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() (int64, int64) {
		close(done)
		most := <-result
		return most[0], most[1]
	}
}

// TestI10OneTaskCannotHoldMoreThanItsBudget has a task begin sixty uploads of 4 MiB
// that the server must read before it decides, and finish none. Each way of sending
// them is tried. What is held stays within the budget of the task, another task is
// served meanwhile, and everything is given back at the end.
func TestI10OneTaskCannotHoldMoreThanItsBudget(t *testing.T) {
	const uploads, size = 60, 4 << 20

	for name, head := range map[string]string{
		"with a length": fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"in chunks":     "Transfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := startFormServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") })
			greedy, _ := s.newAgent(t, pagesSpec)
			other, _ := s.newAgent(t, pagesSpec)
			for _, agent := range []*http.Client{greedy, other} {
				if status, body, _ := sendAsAlice(t, agent, http.MethodGet, "/page/1", ""); status != http.StatusOK {
					t.Fatalf("before: got %d %s", status, body)
				}
			}
			transport := greedy.Transport.(*http.Transport)
			proxy, _ := transport.Proxy(nil)
			p := &protocolTest{testServer: s, t: t, from: "h1", proxy: proxy}

			stop := s.watchHeld()
			var conns []net.Conn
			var refused sync.WaitGroup
			answers := make(chan string, uploads)
			for range uploads {
				conn := p.openTLS()
				conns = append(conns, conn)
				refused.Go(func() {
					fmt.Fprintf(conn, "POST /page/1 HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n%s", head)
					go sendMostOf(conn, size, strings.HasPrefix(head, "Transfer"))
					_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
					answer := make([]byte, 2048)
					n, _ := conn.Read(answer)
					answers <- string(answer[:n])
				})
			}

			for range 20 {
				started := time.Now()
				status, body, _ := sendAsAlice(t, other, http.MethodPost, "/page/1", "wpSave=1")
				if took := time.Since(started); took > 2*time.Second {
					t.Errorf("another task waited %v (%d %s)", took, status, body)
				}
				time.Sleep(20 * time.Millisecond)
			}
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			refused.Wait()
			close(answers)
			counts := map[string]int{}
			for a := range answers {
				switch {
				case hasCode(a, OverBudget):
					counts["over_budget"]++
				case a == "":
					counts["open"]++
				default:
					counts[a]++
				}
			}
			task, all := stop()
			t.Logf("held at most %d KiB by a task, %d KiB by all; heap %d MiB; answers %v", task>>10, all>>10, memory.HeapInuse>>20, counts)
			if task > 8<<20 {
				t.Errorf("a task held %d bytes, want at most 8 MiB", task)
			}
			if counts["over_budget"] == 0 {
				t.Errorf("no upload was refused with over_budget: %v", counts)
			}

			for _, c := range conns {
				c.Close()
			}
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				s.budget.mu.Lock()
				held := s.budget.held
				s.budget.mu.Unlock()
				if held == 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d bytes are held although no request is open", held)
				}
			}
		})
	}
}

// sendMostOf sends a body without its last bytes.
func sendMostOf(conn net.Conn, size int, chunked bool) {
	piece := []byte(strings.Repeat("x", 32<<10))
	for sent := 0; sent+len(piece) < size; sent += len(piece) {
		if chunked {
			fmt.Fprintf(conn, "%x\r\n", len(piece))
		}
		if _, err := conn.Write(piece); err != nil {
			return
		}
		if chunked {
			_, _ = io.WriteString(conn, "\r\n")
		}
	}
}
