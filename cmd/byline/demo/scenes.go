package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The people and accounts of the demonstration.
const (
	person  = "alice"    // lends her session to the agent
	account = "agent-01" // the compensating account
)

// demonstration runs the scenes. Each is a section of the output and fails if the real
// programs do not do what it says.
type demonstration struct {
	*output
	inst *Installation
	app  *Tickets

	password      string // of the account
	personCookie  string // of the session that the person lends
	accountCookie string // of the session that Byline opened
	replyRecord   string // id of the record of the agent's reply
}

// Show runs all scenes, writes them to w, and leaves nothing behind, even if it fails.
func Show(ctx context.Context, w io.Writer) (err error) {
	began := time.Now()

	passwords := map[string]string{person: rand.Text(), account: rand.Text()}
	app, err := Start(passwords)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()

	inst, err := newInstallation(app)
	if inst != nil {
		defer func() { err = errors.Join(err, inst.Remove()) }()
	}
	if err != nil {
		return err
	}

	d := &demonstration{output: newOutput(w), inst: inst, app: app, password: passwords[account]}
	d.personCookie, err = app.Login(person, passwords[person])
	if err != nil {
		return err
	}

	d.write(d.paint(bold, "Byline: who really did it") + "\n")
	for _, scene := range []func(context.Context) error{
		d.workWithoutByline,
		d.installByline,
		d.workWithByline,
		d.replaySessions,
		d.showRecord,
		d.tamperWithRecord,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
		if d.err != nil {
			return d.err
		}
	}
	d.showNextSteps(time.Since(began))
	return d.err
}

func (d *demonstration) workWithoutByline(ctx context.Context) error {
	d.writeHeading("Without Byline: the agent is Alice")
	d.writeParagraph("Tickets is an application that knows only people's logins. Alice logged in, and her session cookie\n" +
		"was given to an AI agent. The agent answers ticket 7, and then does what the ticket's text tells it to.")
	d.writeBlankLine()

	d.writeCommand("agent")
	cmd := d.inst.Command(ctx, "demo", "agent")
	cmd.Env = append(cmd.Env, CookieVar+"="+d.personCookie, ServerVar+"="+d.app.Addr())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the agent without Byline: %w\n%s", err, out)
	}
	d.writeOutput(string(out), "")
	d.showApplicationLog(red)

	d.writeConclusion(red, "The log says that Alice did all of it. So will the access review and the incident report.")
	return nil
}

// showApplicationLog writes and returns what Tickets has logged since the last call.
func (d *demonstration) showApplicationLog(colour string) string {
	lines := strings.Join(d.app.TakeLog(), "\n")
	d.writeParagraph("\nThe application's log:")
	d.writeOutput(lines, colour)
	return lines
}

func (d *demonstration) installByline(ctx context.Context) error {
	d.writeHeading("Byline is put in front of it")

	d.writeCommand("byline init")
	if _, err := d.inst.Run(ctx, "", "init"); err != nil {
		return err
	}
	if err := d.inst.Configure(); err != nil {
		return err
	}
	d.writeCommand("cp tickets.yaml adapters.d/          (what Byline must know about Tickets: 20 lines, no code)")

	d.writeCommand("byline vault put tickets/agent-01    (a separate account, not Alice's)")
	out, err := d.inst.Run(ctx, "username="+account+"\npassword="+d.password+"\n", "vault", "put", "tickets/"+account)
	if err != nil {
		return err
	}
	d.writeOutput(out, "")

	d.writeCommand("byline check")
	out, err = d.inst.Run(ctx, "", "check")
	if err != nil {
		return err
	}
	d.writeOutput(out, "")

	d.writeCommand("byline serve &")
	return d.inst.Serve(ctx)
}

func (d *demonstration) workWithByline(ctx context.Context) error {
	d.writeHeading("With Byline: the same agent, the same cookie, the same requests")

	d.writeCommand("byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
		"    --for 5m --allow 'tickets:ticket.read,ticket.reply@ticket/7' -- agent")
	cmd := d.inst.Command(ctx, "run",
		"--agent", "spiffe://acme.example/agent/triage",
		"--sponsor", "alice@acme.example",
		"--purpose", "INC-1234",
		"--for", "5m",
		"--allow", "tickets:ticket.read,ticket.reply@ticket/7",
		"--", d.inst.Program, "demo", "agent")
	cmd.Env = append(cmd.Env, CookieVar+"="+d.personCookie)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out

	stopWatching := d.watchSession(ctx)
	err := cmd.Run()
	d.accountCookie = stopWatching()
	if err != nil {
		return fmt.Errorf("the agent with Byline: %w\n%s", err, &out)
	}
	d.writeOutput(out.String(), "")
	log := d.showApplicationLog(green)
	if strings.Contains(log, person+" ") || strings.Contains(log, "/tickets/8") {
		return errors.New("the application's log has a request that must not have reached it")
	}

	d.writeConclusion(green, "The application's log names the account that Byline checked out for this task. Alice's cookie never\n"+
		"reached the application. Closing ticket 8 was not in the approved scope: it was refused before it could reach\n"+
		"the application, in words that a language model can act on.")
	return nil
}

// watchSession looks for the session that Byline opens, as a thief who reads the memory of the
// application would. The agent never sees its cookie. stop returns the cookie, or "" if
// there was none.
func (d *demonstration) watchSession(ctx context.Context) (stop func() string) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan string, 1)
	go func() {
		for ctx.Err() == nil {
			if cookie := d.app.SessionOf(account); cookie != "" {
				seen <- cookie
				return
			}
			time.Sleep(time.Millisecond)
		}
		seen <- ""
	}()

	return func() string {
		cancel()
		return <-seen
	}
}

func (d *demonstration) replaySessions(context.Context) error {
	d.writeHeading("The task is over, and so is its session")

	d.writeParagraph("The task ended with the agent: Byline logged out and took the account back. A thief who stole the\n" +
		"session's cookie from the application and replays it directly now gets:")
	if d.accountCookie == "" {
		return errors.New("the application had no session of " + account)
	}
	status, err := d.app.Replay(d.accountCookie)
	if err != nil {
		return err
	}
	d.writeOutput("GET /tickets/7 "+status, green)
	if !strings.HasPrefix(status, "302") {
		return errors.New("the session outlived its task: " + status)
	}

	d.writeParagraph("\nAlice's session is untouched:")
	status, err = d.app.Replay(d.personCookie)
	if err != nil {
		return err
	}
	d.writeOutput("GET /tickets/7 "+status, "")
	d.app.TakeLog() // the replays are not part of what follows
	return nil
}

func (d *demonstration) showNextSteps(took time.Duration) {
	d.writeHeading("What next")
	d.writeParagraph("byline init                    write a configuration and make the keys, here\n" +
		"byline adapter list --library  applications that Byline already knows: MediaWiki, Request Tracker, WordPress, Gitea, DokuWiki\n" +
		"README.md                      the quick start for your application\n" +
		"docs/threat-model.md           what Byline does not protect against")
	d.write(d.paint(faint, fmt.Sprintf("\n   %.1f s. Everything above was real: three programs, TLS, the disk. Nothing of it remains.\n", took.Seconds())))
}
