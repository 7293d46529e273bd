package proxy

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/vault"
)

// TestI1ARequestWithTheAccountsSecretIsAnAttack sends the password of the
// compensating account in each part of a request, as an agent does that tries out
// candidates and looks which one is masked. The request is refused, an alert is on
// record, the task is over, and no other task gets the account until an operator
// releases it.
func TestI1ARequestWithTheAccountsSecretIsAnAttack(t *testing.T) {
	long := strings.Repeat("candidate ", 1000)
	for name, send := range map[string]func(r *http.Request){
		"query":          func(r *http.Request) { r.URL.RawQuery = "q=" + canaryPassword },
		"query, escaped": func(r *http.Request) { r.URL.RawQuery = "q=%63anary%2Dpassword%2D8c1f" },
		"query, base64": func(r *http.Request) {
			r.URL.RawQuery = "q=" + base64.URLEncoding.EncodeToString([]byte("user:"+canaryPassword))
		},
		"query, hex":  func(r *http.Request) { r.URL.RawQuery = "q=" + hex.EncodeToString([]byte(canaryPassword)) },
		"field, json": func(r *http.Request) { r.Header.Set("Accept-Language", `\u0063anary\u002dpassword\u002d8c1f`) },
		"path":        func(r *http.Request) { r.URL.Path = "/page/2" + canaryPassword },
		"field":       func(r *http.Request) { r.Header.Set("Accept-Language", "de, "+strings.ToUpper(canaryPassword)) },
		"cookie":      func(r *http.Request) { r.Header.Set("Cookie", "theme="+canaryPassword) },
		"basic": func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x:"+canaryPassword)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
			agent, task := s.newAgent(t, pagesSpec)
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
				t.Fatalf("before the attack: status %d, %s", status, body)
			}

			r, err := http.NewRequest("GET", "https://example.com/page/1", nil)
			if err != nil {
				t.Fatal(err)
			}
			send(r)
			checkAttackIsRefused(t, s, agent, r, task.ID())
		})
	}

	t.Run("body", func(t *testing.T) {
		s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
		agent, task := s.newAgent(t, pagesSpec)
		body := url.Values{"text": {long + canaryPassword + long}}.Encode()
		r, err := http.NewRequest("POST", "https://example.com/page/1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		checkAttackIsRefused(t, s, agent, r, task.ID())
	})
}

// TestI1ASecretInAStreamedBodyIsAnAttack sends the password in the middle of an upload
// that goes out while it comes in. The part that completes the secret does not go out,
// so that the application does not get the whole body, and the intent has an outcome.
func TestI1ASecretInAStreamedBodyIsAnAttack(t *testing.T) {
	for name, secret := range map[string]string{
		"as it is": canaryPassword, "percent": "%63anary%2Dpassword%2D8c1f", "hex": hex.EncodeToString([]byte(canaryPassword)),
		"base64": base64.StdEncoding.EncodeToString([]byte("x:" + canaryPassword)), "references": "&#99;anary&#45;password&#45;8c1f",
	} {
		t.Run(name, func(t *testing.T) {
			app := newUploadApp(t)
			s := startServer(t, t.TempDir(), loadRules(t, fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server))), nil)
			agent, task := s.newAgent(t, pagesSpec)
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
				t.Fatalf("before the attack: status %d, %s", status, body)
			}

			body, send := io.Pipe()
			half := len(secret) / 2
			go func() {
				filler := strings.Repeat("Nothing to see here.\n", 20_000)
				for _, part := range append(slices.Repeat([]string{filler}, 20), secret[:half], secret[half:], filler) {
					if _, err := io.WriteString(send, part); err != nil {
						return
					}
				}
				_ = send.Close()
			}()
			r, err := http.NewRequest("POST", "https://example.com/page/1", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/pdf")
			checkAttackIsRefused(t, s, agent, r, task.ID())

			if got, whole := app.upload(); whole || strings.Contains(got, secret) {
				t.Errorf("I1: the application got %d bytes of the body, whole: %v", len(got), whole)
			}
			outcomes := s.readRecords(t, "outcome")
			if !slices.ContainsFunc(outcomes, func(r audit.Record) bool { return r.Method == "POST" && r.Code == string(SecretInRequest) }) {
				t.Errorf("I3: no outcome says secret_in_request: %+v", outcomes)
			}
		})
	}
}

// uploadApp is a legacyApp that keeps what it is sent.
type uploadApp struct {
	*legacyApp
	got   []byte
	whole bool
}

func newUploadApp(t *testing.T) *uploadApp {
	a := &uploadApp{legacyApp: newLegacyApp(t)}
	serve := a.Config.Handler
	a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/page/") && r.Method == http.MethodPost {
			got, err := io.ReadAll(r.Body)
			a.mu.Lock()
			a.got, a.whole = got, err == nil
			a.mu.Unlock()
			return
		}
		serve.ServeHTTP(w, r)
	})
	return a
}

func (a *uploadApp) upload() (got string, whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.got), a.whole
}

func checkAttackIsRefused(t *testing.T, s *testServer, agent *http.Client, r *http.Request, task string) {
	t.Helper()
	resp, err := agent.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(text); !hasCode(body, SecretInRequest) || strings.Contains(body, canaryPassword) {
		t.Errorf("I1: got status %d, %s; want the refusal secret_in_request", resp.StatusCode, body)
	}

	waitFor(t, "the end of the task", func() bool { _, _, over := s.task(task).Ended(); return over })
	all, err := s.controlAccounts(t.Context())
	if err != nil || len(all) != 1 || all[0].State != admin.AccountQuarantined {
		t.Errorf("I1: the accounts are %+v, %v; want agent-01 in quarantine", all, err)
	}
	next, _ := s.newAgent(t, pagesSpec)
	if _, body, _ := sendAsAlice(t, next, "GET", "/page/1", ""); !hasCode(body, LeaseUnavailable) {
		t.Errorf("I1: the next task got %s, want lease_unavailable", body)
	}

	if _, err := s.controlRetryAccount(t.Context(), "legacy/agent-01"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if status, body, _ := sendAsAlice(t, next, "GET", "/page/1", ""); status != 200 {
		t.Errorf("after the release the next task got %d, %s", status, body)
	}

	s.shutDown(t)
	found := false
	for _, kind := range []string{"alert", "refusal", "outcome"} {
		for _, record := range s.readRecords(t, kind) {
			found = found || kind == "alert" && record.Code == string(SecretInRequest) && record.Account == "agent-01"
			if strings.Contains(record.Path+record.Resource+record.Detail, canaryPassword) {
				t.Errorf("I1: the secret stands in the record: %+v", record)
			}
		}
	}
	if !found {
		t.Error("I1: no alert is on record")
	}
}

// TestI1AKillAfterAnAttackDoesNotSaveTheTask stops the server when the account is in
// quarantine and its task has not ended yet.
func TestI1AKillAfterAnAttackDoesNotSaveTheTask(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	task, token, err := s.CreateTask(t.Context(), pagesSpec)
	if err != nil {
		t.Fatal(err)
	}
	get := func(s *testServer) error {
		transport := &http.Transport{Proxy: http.ProxyURL(s.proxyURL(task, token)), TLSClientConfig: &tls.Config{RootCAs: s.roots}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://example.com/page/1")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 {
			return errors.New(resp.Status)
		}
		return nil
	}
	if err := get(s); err != nil {
		t.Fatalf("before the attack: %v", err)
	}
	if err := s.state.Quarantine("legacy", "agent-01", "a request of task "+task.ID()+" held a secret of the login"); err != nil {
		t.Fatal(err)
	}
	s.shutDown(t)

	s = startLegacyServer(t, app, dir)
	if err := get(s); err == nil {
		t.Error("I1: after the restart the task of the attack got status 200, want a refusal")
	}
	if _, why, over := s.task(task.ID()).Ended(); !over || !strings.Contains(why, "an attack") {
		t.Errorf("I1: the task has ended: %v, because %q; want because of an attack", over, why)
	}
	waitFor(t, "the logout", func() bool { return app.countSessions() == 1 })
}

// TestI1AQuarantineHoldsBeforeItIsStored sends the account's password while the state
// store cannot be written.
func TestI1AQuarantineHoldsBeforeItIsStored(t *testing.T) {
	s, store := startWithFaultyStore(t, t.TempDir())
	agent, task := s.newAgent(t, pagesSpec)
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Fatalf("before the attack: status %d, %s", status, body)
	}
	store.set(errors.New("no space left on device"))
	if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1?q="+canaryPassword, ""); !hasCode(body, SecretInRequest) {
		t.Fatalf("got %s, want secret_in_request", body)
	}
	waitFor(t, "the end of the task", func() bool { _, _, over := s.task(task.ID()).Ended(); return over })
	if kept, err := s.inQuarantine("legacy"); err != nil || kept["agent-01"] == "" {
		t.Errorf("I1: in quarantine are %v, %v; want agent-01 while the store cannot be written", kept, err)
	}

	store.set(nil)
	waitFor(t, "the quarantine to be stored", func() bool { all, err := s.state.Quarantined(); return err == nil && len(all) == 1 })
	if _, err := s.controlRetryAccount(t.Context(), "legacy/agent-01"); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.inQuarantine("legacy"); err != nil || len(kept) != 0 {
		t.Errorf("after the release in quarantine are %v, %v", kept, err)
	}
}

// TestI1NothingLeavesBetweenAnAttackAndTheEnd sends requests while the task waits for its
// agent to read the refusal of an attack.
func TestI1NothingLeavesBetweenAnAttackAndTheEnd(t *testing.T) {
	s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
	agent, task := s.newAgent(t, pagesSpec)
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Fatalf("before the attack: status %d, %s", status, body)
	}
	s.task(task.ID()).attacked.Store(true)
	if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !hasCode(body, TaskEnded) {
		t.Errorf("I1: after the attack a request got %s, want task_ended", body)
	}
}

// TestStarsThatComeBackAreNoAttack sends what a page showed in place of a secret, and
// what only resembles one.
func TestStarsThatComeBackAreNoAttack(t *testing.T) {
	s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	for _, query := range []string{strings.Repeat("*", len(canaryPassword)), canaryPassword[:10], "agent-01"} {
		if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1?q="+url.QueryEscape(query), ""); status != 200 {
			t.Errorf("%q got status %d, %s; want 200", query, status, body)
		}
	}
}

// TestI1FieldsThatTheLoginDoesNotUseAreSecrets stores an account with a key of one-time
// codes and a token, which the adapter's login does not send. The application knows them
// and shows them.
func TestI1FieldsThatTheLoginDoesNotUseAreSecrets(t *testing.T) {
	const seed, token = "KZ3W4GJ7QMX2R5TLBN6YDACEHP7FOVU4", "Xv9_kW3mB-7qR5tZ1p"
	app := newLegacyApp(t)
	serve := app.Config.Handler
	app.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve.ServeHTTP(w, r)
		fmt.Fprintf(w, "<p>%s, %s of agent-01</p>", seed, token)
	})
	rules := loadRules(t, fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server)))
	s := startServer(t, t.TempDir(), rules, func(o *Options) {
		fields := map[string]string{"username": "agent-01", "password": canaryPassword, "totp_seed": seed, "token": token}
		putAccount(t, o.Vault.(*vault.File), "legacy", "agent-01", fields)
	})
	agent, task := s.newAgent(t, pagesSpec)

	status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", "")
	if status != 200 || strings.Contains(body, seed) || strings.Contains(body, token) || !strings.Contains(body, "of agent-01") {
		t.Errorf("I1: got status %d, %s; want both masked, and the user's name not", status, body)
	}

	r, err := http.NewRequest("GET", "https://example.com/page/1?q="+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkAttackIsRefused(t, s, agent, r, task.ID())
}

func TestQuarantinesAreLoggedAtTheStart(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	if err := s.state.Quarantine("legacy", "agent-01", "a request of task t_1 held a secret of the login"); err != nil {
		t.Fatal(err)
	}
	s.shutDown(t)

	again := startLegacyServer(t, app, dir)
	said := again.log.String()
	if !strings.Contains(said, "account in quarantine") || !strings.Contains(said, "task t_1 held") {
		t.Errorf("after a restart the log does not name the account in quarantine: %s", said)
	}
}
