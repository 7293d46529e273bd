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

// Step is one request of a login or a logout. It holds secrets and prints as REDACTED.
type Step struct {
	redacted

	Method    string
	Scheme    string // "" is the scheme of the login
	Authority string // "" is the host of the login
	External  bool   // Authority is not one of the adapter's hosts: upstream.url does not apply
	Path      string // with the query
	Fields    []Field
	Body      []byte
	NotBefore time.Time // the one-time code in the step is not valid earlier; zero: send at once
	Proves    bool      // what proves who the account is has been sent, or is in this step
	OneTime   bool      // it holds a one-time code, so it must not be sent twice
}

// Reply is the answer to a Step. The caller may cut Body off after some MiB. It holds secrets and
// prints as REDACTED.
type Reply struct {
	redacted

	Status int
	Fields []Field
	Body   []byte
}

// Dialogue is a login or a logout under way. The caller sends each Step that Next returns and hands
// its answer to the following call of Next. The caller must not follow redirects; the Dialogue does
// so where its recipe says. A Dialogue belongs to one goroutine and prints as REDACTED.
type Dialogue struct {
	redacted
	*dialogueState
}

// dialogueState is what a Dialogue hides behind a pointer; see redacted.
type dialogueState struct {
	a       *Adapter
	kind    Kind
	secret  AccountSecret // nil in a logout
	session *Session
	agent   string           // User-Agent of the agent's first request
	now     func() time.Time // the clock; tests set it
	done    bool

	// The recipe.
	steps     []StepSpec
	final     Condition         // on the answer to the last step
	taken     map[string]string // values that steps took, by name
	at        int               // index of the step whose answer comes next
	hops      int               // redirects followed in that step
	onTheWay  []Field           // Set-Cookie fields of the redirects followed in that step
	page      string            // URL of the last page, for Referer and relative targets
	code      string            // the one-time code of step codeAt; "" before the first one
	codeAt    int
	notBefore time.Time // of the step that is being built
	reserve   StepReserver
	proves    bool   // a step that was built may hold what proves who the account is
	last      *Reply // the answer that Next got last

	// Where the request under way went.
	method    string
	scheme    string
	authority string
	path      string
}

// Login begins a login with the secret of an account. pins are the header fields of the agent's
// first request: the session keeps the values of the pinned headers among them, and the login sends
// its User-Agent whether it is pinned or not.
//
// The login takes place at the adapter's first host without a wildcard, over https unless
// upstream.url says http. If the agent named another host, call UseHost before the first Next.
func (a *Adapter) Login(secret AccountSecret, pins []Field) *Dialogue {
	s := &Session{sessionState: &sessionState{
		scheme: "https",
		pins:   a.pinsOf(pins),
	}}
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

	return &Dialogue{dialogueState: &dialogueState{
		a:       a,
		kind:    kinds[a.spec.Login.Kind].Kind,
		secret:  secret,
		session: s,
		agent:   fieldValue(pins, "User-Agent"),
		now:     time.Now,
		reserve: totpSteps.reserve,
		steps:   a.spec.Login.Steps,
		final:   a.spec.Login.Success,
		taken:   map[string]string{},
	}}
}

// UseHost sets where the login takes place: the scheme towards the application and the authority
// that the agent named. Cookies without a Domain belong to that host, and Origin and Referer name
// it. It must be called before the first Next.
func (d *Dialogue) UseHost(scheme, authority string) {
	d.session.scheme = scheme
	d.session.authority = authority
}

// Logout begins the logout of a session, at the host where the login took place. It returns nil if s
// is nil or the adapter has no logout steps.
func (a *Adapter) Logout(s *Session) *Dialogue {
	steps := a.spec.Login.Logout.Steps
	if s == nil || len(steps) == 0 {
		return nil
	}

	kind, ok := kinds[a.spec.Login.Kind].Kind.(recipe)
	if !ok {
		kind = pageRecipe
	}
	return &Dialogue{dialogueState: &dialogueState{
		a:       a,
		kind:    kind,
		session: s,
		now:     time.Now,
		steps:   steps,
		taken:   maps.Clone(s.taken),
	}}
}

// Next returns the request to send. last is the answer to the request before it, and nil in the
// first call. A nil Step without an error means that the dialogue is finished, and a login's Session
// is there. An error ends the dialogue: it names the step, the condition that failed and the status
// of the answer, and holds no secret.
func (d *Dialogue) Next(last *Reply) (*Step, error) {
	switch {
	case d.done:
		return nil, nil
	case d.kind == nil:
		return nil, fmt.Errorf("unknown login kind %q", d.a.spec.Login.Kind)
	case d.session.authority == "":
		return nil, errors.New("the adapter has only wildcard hosts, and no host was given for the login")
	}

	if last != nil {
		d.keepCookies(last.Fields)
		d.last = last
	}
	step, err := d.kind.Next(d, last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		d.finish()
		return nil, nil
	}

	d.addBrowserFields(step)
	step.Proves = d.proves
	return step, nil
}

// Session returns the session of a finished login, and nil before the login is finished.
func (d *Dialogue) Session() *Session {
	if !d.done {
		return nil
	}
	return d.session
}

// keepCookies puts the cookies of an answer into the jar, including those that the adapter passes:
// until the login ends there is no agent to send them back, and the application expects them, as
// it does a test cookie.
func (d *Dialogue) keepCookies(fields []Field) {
	for _, f := range fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		c, ok := cookie.ParseSet(f.Value)
		if !ok {
			continue
		}
		if h, ok := c.At(hostWithoutPort(d.authority), d.path, d.now()); ok {
			d.a.holdCookies(d.session, d.now(), h)
		}
	}
}

// finish completes the session of a login. A logout leaves the session as it is, because others may
// still read it.
func (d *Dialogue) finish() {
	d.done = true
	if d.secret == nil {
		return
	}

	s := d.session
	s.mu.Lock()
	defer s.mu.Unlock()

	// Only held cookies stay in the jar: the agent has to get the others from the application itself.
	s.jar.Replace(slices.DeleteFunc(slices.Clone(s.jar.Cookies()), func(c cookie.Cookie) bool {
		return text.IsToken(c.Name) && d.a.passesCookie(c.Name)
	}))
	s.taken = d.taken
	s.landing = d.landing()
	s.changed.Store(true)

	for _, f := range slices.Concat(s.headers, s.query, s.members) {
		if f.Value == s.username {
			continue // pages show it everywhere
		}
		s.secrets = append(s.secrets, f.Value)
		if _, credential, ok := strings.Cut(f.Value, " "); ok {
			s.secrets = append(s.secrets, credential) // without its scheme, as in Bearer
		}
	}
	d.maskUnusedFields()
	slices.Sort(s.secrets)
	s.secrets = slices.Compact(s.secrets)
	d.a.remask(s)
}
