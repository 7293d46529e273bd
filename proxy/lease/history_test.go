package lease

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

var errTest = errors.New("the login failed")

// testConfig has no defaults left to fill in.
func testConfig(min, max, outage time.Duration) *Config {
	return &Config{BackoffMin: min, BackoffMax: max, OutageBackoffMax: outage, LoginAttempts: 3}
}

// wantPause fails the test unless the login of a task is refused for between least
// and most after now.
func wantPause(t *testing.T, what string, h *history, task string, now time.Time, least, most time.Duration) {
	t.Helper()
	pause := time.Duration(0)
	if err := h.loginRefused(now, task); err != nil {
		backoff, ok := errors.AsType[*BackoffError](err)
		if !ok {
			t.Fatalf("%s: %v, want a pause", what, err)
		}
		pause = backoff.Until.Sub(now)
	}
	if pause < least || pause > most {
		t.Errorf("%s: pause %s, want %s to %s", what, pause, least, most)
	}
}

// An application counts refused passwords and locks the account, so a second try
// needs another secret or a long pause.
func TestARefusedLoginPausesForLong(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, 10*time.Second), time.Unix(1000, 0)
	var h history
	for i, want := range []time.Duration{time.Minute, time.Minute, 12 * time.Minute, 12 * time.Minute} {
		h.loginRefusedByApplication(now, cfg)
		wantPause(t, fmt.Sprintf("refusal %d", i+1), &h, "t_1", now, want, want)
	}

	h.loginSucceeded(now)
	wantPause(t, "after a success", &h, "t_1", now, 0, 0)
	h.loginRefusedByApplication(now, cfg)
	wantPause(t, "first refusal after a success", &h, "t_1", now, time.Minute, time.Minute)
}

// Once an application is back after an outage, requests must not be refused for long.
func TestAnOutagePausesShortly(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, 6*time.Second), time.Unix(1000, 0)
	var h history
	for i, most := range []time.Duration{1, 2, 4, 6, 6, 6} {
		h.loginFailed(now, time.Time{}, cfg)
		wantPause(t, fmt.Sprintf("failure %d", i+1), &h, "t_1", now, most*time.Second/2, most*time.Second)
		now = now.Add(most * time.Second)
	}

	h.loginFailed(now, now.Add(30*time.Second), cfg)
	wantPause(t, "an application that asks for 30s", &h, "t_1", now, 30*time.Second, 30*time.Second)
	h.loginFailed(now, now.Add(time.Hour), cfg)
	wantPause(t, "an application that asks for an hour", &h, "t_1", now, time.Minute, time.Minute)

	h = history{}
	h.loginRefusedByApplication(now, cfg)
	h.loginFailed(now, time.Time{}, cfg)
	wantPause(t, "an outage after a refusal", &h, "t_1", now, time.Minute, time.Minute)
}

func TestSessionsThatEndSoonCostOneLoginThenBackoff(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, time.Second), time.Unix(1000, 0)
	var h history
	end := func() {
		h.loginSucceeded(now)
		h.sessionEnded(now, "t_1", true, "", cfg)
	}

	end()
	wantPause(t, "after the first session that ended", &h, "t_1", now, 0, 0)
	for i, most := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		end()
		wantPause(t, fmt.Sprintf("session %d", i+2), &h, "t_1", now, most*time.Second/2, most*time.Second)
	}
	wantPause(t, "another task", &h, "t_2", now, 0, 0)

	h.loginSucceeded(now)
	now = now.Add(time.Minute)
	h.sessionEnded(now, "t_1", true, "", cfg)
	wantPause(t, "after a session that lived a minute", &h, "t_1", now, 0, 0)
}

// blockedFor reports whether no login of the task is tried until a person acts.
func blockedFor(h *history, task string) bool {
	_, blocked := errors.AsType[*BlockedError](h.loginRefused(time.Now(), task))
	return blocked
}

// One task can cause any number of answers that look like the end of a session. It
// must not take the account from the others.
func TestI5FalseEndsOfOneTaskBlockNoOther(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, time.Second), time.Now()
	var h history
	useless := func(task string) {
		for range 2 {
			h.loginSucceeded(now)
			h.sessionEnded(now, task, false, "why", cfg)
		}
	}

	useless("t_1")
	if !blockedFor(&h, "t_1") || blockedFor(&h, "t_2") {
		t.Errorf("after two useless sessions of t_1: blocked %v, and t_2 %v; want true and false", blockedFor(&h, "t_1"), blockedFor(&h, "t_2"))
	}
	h.sessionUseful("t_2")
	useless("t_3")
	if !blockedFor(&h, "t_3") || blockedFor(&h, "t_4") {
		t.Error("a task that worked in between does not clear the account")
	}

	useless("t_4")
	if !blockedFor(&h, "t_5") {
		t.Error("after two tasks in a row without one good answer a third may log in")
	}
}

func TestALoginWithAnInterruptedPredecessorWaits(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, time.Second), time.Unix(1000, 0)
	h := history{}
	doc := `{"trying":true,"with":"x"}`
	if err := h.restore([]byte(doc), now, cfg); err != nil {
		t.Fatal(err)
	}
	wantPause(t, "after one interrupted login", &h, "t_1", now, time.Second/2, time.Second)

	h = history{}
	if err := h.restore([]byte(`{"trying":true,"interrupted":1}`), now, cfg); err != nil {
		t.Fatal(err)
	}
	wantPause(t, "after two", &h, "t_1", now, time.Minute, time.Minute)
}

func TestAClockThatWasWrongPausesNoLonger(t *testing.T) {
	cfg, now := testConfig(time.Second, time.Minute, time.Second), time.Unix(1000, 0)
	var h history
	if err := h.restore([]byte(`{"refused":1,"until":"2099-01-01T00:00:00Z"}`), now, cfg); err != nil {
		t.Fatal(err)
	}
	wantPause(t, "a pause until 2099", &h, "t_1", now, time.Minute, 12*time.Minute)
}

// describeRefusal says why a login is not tried, without times.
func describeRefusal(err error) string {
	if blocked, ok := errors.AsType[*BlockedError](err); ok {
		if blocked.TaskOnly {
			return "for this task: " + blocked.Why
		}
		return "needs a person: " + blocked.Why
	}
	if backoff, ok := errors.AsType[*BackoffError](err); ok {
		return []string{"", "refused", "failed", "ended"}[backoff.Reason]
	}
	return ""
}

// restarted returns the lease of a task under a manager that starts on the store.
func restarted(t *testing.T, s Store, task string, cfg Config) *Lease[*testSession] {
	t.Helper()
	return checkOut(t, newTestManager(t, s, cfg), task, "a")
}

func TestWhatLoginsHaveShownSurvivesARestart(t *testing.T) {
	cfg := Config{BackoffMin: time.Hour, BackoffMax: 2 * time.Hour}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, l *Lease[*testSession])
		want string
	}{
		{"refused", func(t *testing.T, l *Lease[*testSession]) { _ = beginLogin(t, l).Done(nil, errTest) }, "refused"},
		{"failed", func(t *testing.T, l *Lease[*testSession]) { _ = beginLogin(t, l).Fail(errTest, time.Time{}) }, "failed"},
		{"killed", func(t *testing.T, l *Lease[*testSession]) { _ = beginLogin(t, l).Begin() }, "failed"},
		{"needs a person", func(t *testing.T, l *Lease[*testSession]) { _, _ = beginLogin(t, l).Block("why") }, "needs a person: why"},
		{"its answers say so", func(t *testing.T, l *Lease[*testSession]) {
			for n := range 2 {
				s := &testSession{n}
				_ = beginLogin(t, l).Done(s, nil)
				_, _ = l.GiveUp(s, false, "why")
			}
		}, "for this task: why"},
		{"abandoned", func(t *testing.T, l *Lease[*testSession]) {
			login := beginLogin(t, l)
			_ = login.Begin()
			login.Abandon()
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemoryStore()
			first := newTestManager(t, store, cfg)
			c.do(t, checkOut(t, first, "t_1", "a"))
			first.Close()

			l := restarted(t, store, "t_1", cfg)
			_, _, err := l.Session(t.Context())
			if got := describeRefusal(err); got != c.want {
				t.Errorf("after a restart: %q, want %q", got, c.want)
			}
			if c.want == "" {
				return
			}

			if err := l.AllowLogin(); err != nil {
				t.Fatal(err)
			}
			l.manager.Close()
			if err := restarted(t, store, "t_1", cfg).LoginRefused(); err != nil {
				t.Errorf("after AllowLogin and another restart: %v, want a login", err)
			}
		})
	}
}

func TestADamagedDocumentBlocksItsAccount(t *testing.T) {
	store := newMemoryStore()
	_ = store.PutLogins("wiki", "a", []byte("{"))
	if err := restarted(t, store, "t_1", Config{}).LoginRefused(); err == nil {
		t.Error("a login is allowed, want a refusal until a person has acted")
	}
}

func TestALoginIsNotBegunIfThatCannotBeStored(t *testing.T) {
	store := newMemoryStore()
	l := checkOut(t, newTestManager(t, store, Config{TTL: time.Hour}), "t_1", "a")
	login := beginLogin(t, l)
	store.fail(errTest)
	if err := login.Begin(); !errors.Is(err, errTest) {
		t.Errorf("Begin returned %v, want the error of the store", err)
	}
	login.Abandon()
	store.fail(nil)
}

func TestBackoffOutlivesTheLease(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	l := checkOut(t, m, "t_1", "a")
	_ = beginLogin(t, l).Done(nil, errors.New("wrong password"))
	_ = l.Release()

	next := checkOut(t, m, "t_2", "a")
	_, login, err := next.Session(t.Context())
	var backoff *BackoffError
	if login != nil || !errors.As(err, &backoff) || time.Until(backoff.Until) < 29*time.Minute {
		t.Errorf("Session of the next task returned login %v, %v; want *BackoffError of 30m or more", login, err)
	}

	_ = next.AllowLogin()
	_ = beginLogin(t, next).Done(nil, errors.New("still wrong"))
	if next.acct.loginRefused(time.Now().Add(29*time.Minute), "t_2") == nil {
		t.Error("after another failure a login is allowed within 29m, want 30m or more")
	}
}

func TestTwoUselessSessionsNeedAPerson(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	l := checkOut(t, m, "t_1", "a")
	for n := range 2 {
		s := &testSession{n}
		_ = beginLogin(t, l).Done(s, nil)
		if was, _ := l.GiveUp(s, false, "the password has expired"); !was {
			t.Fatal("the current session was not given up")
		}
		if was, _ := l.GiveUp(s, false, "again"); was {
			t.Error("one session was given up twice")
		}
	}

	_, login, err := l.Session(t.Context())
	var blocked *BlockedError
	if login != nil || !errors.As(err, &blocked) || blocked.Why != "the password has expired" {
		t.Errorf("Session returned login %v, %v; want a BlockedError with the reason", login, err)
	}
	if r := m.Refused(); len(r) != 1 || r[0].Account != "a" {
		t.Errorf("Refused returned %v, want account a", r)
	}

	if was, err := m.AllowLogin("wiki", "a"); !was || err != nil {
		t.Errorf("AllowLogin returned %v, %v; want that the account was blocked", was, err)
	}
	beginLogin(t, l)
}
