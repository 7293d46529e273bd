package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// story is the demonstration: each of its scenes is a section of the output.
type story struct {
	*stage
	house *Installation
	app   *Tickets

	alice  string // her session's cookie, in the agent's hands
	secret string // the compensating account's password
	ours   string // the cookie of the session that Byline opened
	reply  string // id of the record of the reply
}

const (
	demoAccount = "agent-01"
	demoPerson  = "alice"
)

// Show plays all scenes and cleans up after them, whatever happened.
func Show(ctx context.Context, w io.Writer) (err error) {
	began := time.Now()
	passwords := map[string]string{demoPerson: rand.Text(), demoAccount: rand.Text()}
	app, err := Start(passwords)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	house, err := newInstallation(app)
	if house != nil {
		defer func() { err = errors.Join(err, house.Remove()) }()
	}
	if err != nil {
		return err
	}
	s := &story{stage: newStage(w), house: house, app: app, secret: passwords[demoAccount]}
	if s.alice, err = app.Login(demoPerson, passwords[demoPerson]); err != nil {
		return err
	}
	s.write(s.paint(bold, "Byline: who really did it") + "\n")
	for _, scene := range []func(context.Context) error{s.without, s.install, s.with, s.after, s.record, s.tamper} {
		if err := scene(ctx); err != nil {
			return err
		}
		if s.err != nil {
			return s.err
		}
	}
	s.end(time.Since(began))
	return s.err
}

func (s *story) without(ctx context.Context) error {
	s.section("Without Byline: the agent is Alice")
	s.say("Tickets is an application that knows people's logins alone. Alice logged in, and her session cookie\n" +
		"was handed to an AI agent. The agent answers ticket 7, and then does what the ticket's text tells it to.")
	s.gap()
	s.typed("agent")
	cmd := s.house.Command(ctx, "demo", "agent")
	cmd.Env = append(cmd.Env, CookieVar+"="+s.alice, ServerVar+"="+s.app.Addr())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the agent without Byline: %w\n%s", err, out)
	}
	s.shown(string(out), "")
	s.applicationLog(red)
	s.notice(red, "The log says that Alice did all of it. So will the access review and the incident report.")
	return nil
}

// applicationLog shows what Tickets wrote down since last time.
func (s *story) applicationLog(colour string) string {
	lines := strings.Join(s.app.Log(), "\n")
	s.say("\nThe application's own log:")
	s.shown(lines, colour)
	return lines
}

func (s *story) install(ctx context.Context) error {
	s.section("Byline is put in front of it")
	for _, step := range []struct {
		show  string
		stdin string
		args  []string
	}{
		{"byline init", "", []string{"init"}},
		{"byline vault put tickets/agent-01    (an account of its own, not Alice's)", "username=" + demoAccount + "\npassword=" + s.secret + "\n",
			[]string{"vault", "put", "tickets/" + demoAccount}},
		{"byline check", "", []string{"check"}},
	} {
		s.typed(step.show)
		out, err := s.house.Run(ctx, step.stdin, step.args...)
		if err != nil {
			return err
		}
		if step.args[0] != "init" {
			s.shown(out, "")
			continue
		}
		if err := s.house.Configure(); err != nil {
			return err
		}
		s.typed("cp tickets.yaml adapters.d/         (what Byline must know of Tickets: 20 lines, no code)")
	}
	s.typed("byline serve &")
	return s.house.Serve(ctx)
}

func (s *story) with(ctx context.Context) error {
	s.section("With Byline: the same agent, the same cookie, the same requests")
	s.typed("byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
		"    --for 5m --allow 'tickets:ticket.read,ticket.reply@ticket/7' -- agent")
	cmd := s.house.Command(ctx, "run", "--agent", "spiffe://acme.example/agent/triage", "--sponsor", "alice@acme.example", "--purpose", "INC-1234",
		"--for", "5m", "--allow", "tickets:ticket.read,ticket.reply@ticket/7", "--", s.house.Program, "demo", "agent")
	cmd.Env = append(cmd.Env, CookieVar+"="+s.alice)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	watched := s.watchSession(ctx)
	err := cmd.Run()
	s.ours = watched()
	if err != nil {
		return fmt.Errorf("the agent with Byline: %w\n%s", err, &out)
	}
	s.shown(out.String(), "")
	if log := s.applicationLog(green); strings.Contains(log, demoPerson+" ") || strings.Contains(log, "/tickets/8") {
		return errors.New("the application's log says what it must not")
	}
	s.notice(green, "The application's log names the account that Byline checked out for this task. Alice's cookie never\n"+
		"arrived. Closing ticket 8 was in nobody's approved scope: it was refused before it could reach the\n"+
		"application, in words that a language model can act on.")
	return nil
}

// watchSession notes the cookie of the session that Byline opens, as a thief
// who reads the application's memory would. The agent never sees it.
func (s *story) watchSession(ctx context.Context) (stop func() string) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan string, 1)
	go func() {
		for ctx.Err() == nil {
			if cookie := s.app.SessionOf(demoAccount); cookie != "" {
				seen <- cookie
				return
			}
			time.Sleep(time.Millisecond)
		}
		seen <- ""
	}()
	return func() string { cancel(); return <-seen }
}

func (s *story) after(context.Context) error {
	s.section("The task is over, and so is its session")
	s.say("The task ended with the agent: Byline logged out and took the account back. Whoever stole the\n" +
		"session's cookie from the application and replays it straight there now gets:")
	if s.ours == "" {
		return errors.New("no session of " + demoAccount + " was seen at the application")
	}
	status, err := s.app.Replay(s.ours)
	if err != nil {
		return err
	}
	s.shown("GET /tickets/7 "+status, green)
	if !strings.HasPrefix(status, "302") {
		return errors.New("the session outlived its task: " + status)
	}
	s.say("\nAlice's own session is hers, untouched:")
	if status, err = s.app.Replay(s.alice); err != nil {
		return err
	}
	s.shown("GET /tickets/7 "+status, "")
	s.app.Log()
	return nil
}

func (s *story) record(ctx context.Context) error {
	s.section("The record: which agent, for whom, under which approved scope")
	s.typed("byline audit tail --json | (time, kind, what and with which account)")
	out, err := s.house.Run(ctx, "", "audit", "tail", "--json", "-n", "100")
	if err != nil {
		return err
	}
	var trail string
	if trail, s.reply, err = trailOf(out); err != nil {
		return err
	}
	s.shown(trail, "")
	s.gap()
	s.typed("byline audit show " + s.reply)
	if out, err = s.house.Run(ctx, "", "audit", "show", s.reply); err != nil {
		return err
	}
	story, _, _ := strings.Cut(out, "\n\n")
	s.shown(story, "")
	s.notice(green, "Each request is on disk, with all of this, before it leaves for the application. Of what Alice lent\n"+
		"the agent there is a keyed fingerprint, never the value.")
	return s.house.holdsNone(s.alice, s.ours, s.secret)
}

// trailOf makes a narrow table of records, and finds the intent of the reply.
func trailOf(lines string) (trail, reply string, err error) {
	var rows [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		var r struct {
			ID, Kind, Action, Resource, Account, Code, Intent, Path string
			Time                                                    time.Time
			Status                                                  int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return "", "", fmt.Errorf("audit tail: %w", err)
		}
		if r.Kind == "intent" && r.Action == "ticket.reply" {
			reply = r.ID
		}
		end := r.Code
		if r.Status != 0 {
			end = strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code))
		}
		rows = append(rows, []string{r.Time.Format("15:04:05.000"), r.Kind, r.Action, r.Resource, r.Account, end})
	}
	if reply == "" {
		return "", "", errors.New("the record holds no intent of the reply")
	}
	var b strings.Builder
	err = cli.Table(&b, []string{"TIME", "KIND", "ACTION", "RESOURCE", "ACCOUNT", "END"}, rows)
	return b.String(), reply, err
}

func (s *story) tamper(ctx context.Context) error {
	s.section("Anyone with the public key can verify it, and finds a single changed byte")
	if err := s.house.Stop(); err != nil {
		return err
	}
	s.typed("byline audit verify")
	out, err := s.house.Run(ctx, "", "audit", "verify")
	if err != nil {
		return err
	}
	s.shown(out, green)
	s.say("\nSomebody edits the record of the reply: it was agent-02.")
	if err := changeByte(s.house.Path("data", "audit"), s.reply, `"account":"agent-01"`, `"account":"agent-02"`); err != nil {
		return err
	}
	s.typed("byline audit verify")
	if out, err = s.house.Run(ctx, "", "audit", "verify"); err == nil {
		return errors.New("the changed byte was not found")
	}
	verdict, _, _ := strings.Cut(out, "byline:")
	s.shown(verdict, red)
	return nil
}

// changeByte edits the record with that id, in a log of one segment.
func changeByte(dir, id, from, to string) error {
	segments, err := filepath.Glob(filepath.Join(dir, "seg-*.jsonl"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("no segment of the record in %s: %w", dir, err)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		return err
	}
	at := bytes.Index(text, []byte(`"id":"`+id+`"`))
	if at < 0 || !bytes.Contains(text[at:], []byte(from)) {
		return fmt.Errorf("%s holds no %s in record %s", segments[0], from, id)
	}
	changed := append(bytes.Clone(text[:at]), bytes.Replace(text[at:], []byte(from), []byte(to), 1)...)
	return os.WriteFile(segments[0], changed, 0o600)
}

func (s *story) end(took time.Duration) {
	s.section("What next")
	s.say("byline init                    write a configuration and make the keys, here\n" +
		"byline adapter list --library  applications that are known already: MediaWiki, Request Tracker, WordPress, Gitea, DokuWiki\n" +
		"README.md                      the quick start for your own application\n" +
		"docs/threat-model.md           what Byline does not protect against")
	s.write(s.paint(faint, fmt.Sprintf("\n   %.1f s. Everything above was real: three programs, TLS, the disk. Nothing is left of it.\n", took.Seconds())))
}
