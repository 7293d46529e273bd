package adapters

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Step is one request of a login or logout. It holds secrets and prints as REDACTED.
type Step struct {
	redacted

	Method    string
	Scheme    string // "" is that of the login
	Authority string // "" is the host of the login
	External  bool   // Authority is none of the adapter's hosts: upstream.url does not lead there
	Path      string // with the query
	Fields    []Field
	Body      []byte
	NotBefore time.Time // wait until then: the one-time code in it is not valid earlier; zero: do not wait
}

// Reply is the answer to a Step. Body may be cut off at some MiB. It holds secrets and prints as REDACTED.
type Reply struct {
	redacted

	Status int
	Fields []Field
	Body   []byte
}

// Dialogue is a login or a logout as a conversation of values: the caller sends what Next gives and hands back the
// answer. It follows no redirect by itself. It belongs to one goroutine and prints as REDACTED.
type Dialogue struct {
	redacted
	*dialogueState
}

// dialogueState is what a Dialogue hides behind a pointer; see redacted.
type dialogueState struct {
	a         *Adapter
	kind      Kind
	secret    AccountSecret // nil in a logout
	session   *Session
	steps     []StepSpec
	final     Condition // on the answer to the last step
	taken     map[string]string
	at        int // the step whose answer comes next
	hops      int // redirects followed in it
	onTheWay  []Field
	page      string // URL of the last page, for Referer and relative targets
	agent     string // User-Agent of the first request
	scheme    string // of the request under way, like the next two
	authority string
	path      string
	code      string // the one-time code of step codeAt
	codeAt    int
	notBefore time.Time // of the step that is being built
	done      bool
	now       func() time.Time // the clock; tests set it
}

// Login begins a login. pins are the fields of the first request, from which the pinned headers are taken; a
// User-Agent among them goes with the login in any case. The host is the adapter's first one that is no wildcard,
// over the upstream's scheme; where the agent named another, say so with UseHost before the first Next.
func (a *Adapter) Login(secret AccountSecret, pins []Field) *Dialogue {
	s := &Session{sessionState: &sessionState{scheme: "https", pins: a.pinsOf(pins)}}
	if strings.HasPrefix(a.spec.Upstream.URL, "http://") {
		s.scheme = "http"
	}
	for _, host := range a.spec.Hosts {
		if !strings.HasPrefix(host, "*") {
			s.authority = host
			break
		}
	}
	s.username, _ = secret.Reveal("username")
	return &Dialogue{dialogueState: &dialogueState{a: a, kind: kinds[a.spec.Login.Kind].Kind, secret: secret, session: s, steps: a.spec.Login.Steps, taken: map[string]string{},
		now: time.Now, final: a.spec.Login.Success, agent: fieldValue(pins, "User-Agent")}}
}

// UseHost says where the login takes place: the scheme towards the SaaS and the authority that the agent named. Cookies
// without a Domain belong to that host, and Origin and Referer name it. Call it before the first Next.
func (d *Dialogue) UseHost(scheme, authority string) {
	d.session.scheme, d.session.authority = scheme, authority
}

// Logout begins the logout of a session, at the host where it was made; nil when the adapter has no recipe for one.
func (a *Adapter) Logout(s *Session) *Dialogue {
	steps := a.spec.Login.Logout.Steps
	if s == nil || len(steps) == 0 {
		return nil
	}
	kind, ok := kinds[a.spec.Login.Kind].Kind.(recipe)
	if !ok {
		kind = pageRecipe
	}
	return &Dialogue{dialogueState: &dialogueState{a: a, kind: kind, session: s, steps: steps, taken: maps.Clone(s.taken), now: time.Now}}
}

// Next gives the request to send after last, the answer to the one before (nil at first). A nil Step: finished, and
// Session is there. An error ends the dialogue; it says which step and which condition failed and the status seen,
// and holds no secret.
func (d *Dialogue) Next(last *Reply) (*Step, error) {
	switch {
	case d.done:
		return nil, nil
	case d.kind == nil:
		return nil, fmt.Errorf("there is no login kind %q", d.a.spec.Login.Kind)
	case d.session.authority == "":
		return nil, errors.New("the adapter has only wildcard hosts, and nobody said at which of them to log in")
	}
	if last != nil {
		for _, f := range last.Fields {
			if strings.EqualFold(f.Name, "Set-Cookie") {
				d.takeCookie(f.Value)
			}
		}
	}
	step, err := d.kind.Next(d, last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		d.finish()
		return nil, nil
	}
	d.dress(step)
	return step, nil
}

// Session is the finished login's; nil before that.
func (d *Dialogue) Session() *Session {
	if !d.done {
		return nil
	}
	return d.session
}

// takeCookie keeps every cookie between steps, those too that pass later on: a login wants its test cookie back.
func (d *Dialogue) takeCookie(field string) {
	if c, ok := cookie.ParseSet(field); ok {
		if h, ok := c.At(hostWithoutPort(d.authority), d.path, d.now()); ok {
			d.a.hold(d.session, d.now(), h)
		}
	}
}

// finish leaves only held cookies in the jar: the SaaS gives passed ones to the agent, which has to see them.
func (d *Dialogue) finish() {
	d.done = true
	if d.secret == nil {
		return // a logout leaves the session as it is: others may still read it
	}
	s := d.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jar.Replace(slices.DeleteFunc(slices.Clone(s.jar.Cookies()), func(c cookie.Cookie) bool {
		return text.IsToken(c.Name) && d.a.passesCookie(c.Name)
	}))
	for _, f := range slices.Concat(s.headers, s.query, s.members) {
		if f.Value == s.username {
			continue // pages show it everywhere
		}
		s.secrets = append(s.secrets, f.Value)
		if _, credential, ok := strings.Cut(f.Value, " "); ok {
			s.secrets = append(s.secrets, credential)
		}
	}
	slices.Sort(s.secrets)
	s.secrets = slices.Compact(s.secrets)
	s.taken = d.taken
	s.changed.Store(true)
	d.a.remask(s)
}
