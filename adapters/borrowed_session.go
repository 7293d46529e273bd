package adapters

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// CookieNames are the names of cookies that logins at an application have set. The zero value is empty. It is
// safe for concurrent use.
type CookieNames struct {
	names sync.Map
	count atomic.Int64
}

// Knowledge is what IsSession knows at some time. It is comparable: while it is the same, the verdict on a
// credential is.
type Knowledge struct {
	names   int64
	cookies any
}

// Knowledge returns what IsSession knows from the names of cookies and a session, which may be nil.
func (n *CookieNames) Knowledge(s *Session) Knowledge {
	k := Knowledge{names: n.count.Load()}
	if s != nil {
		k.cookies = s.jar.State()
	}
	return k
}

// maxCookieNames bounds the cookies that one login adds.
const maxCookieNames = 32

// Learn adds the names of the cookies that a login set, as far as their values can be those of a session. s is
// the session that the login made.
func (n *CookieNames) Learn(s *Session) {
	cookies := s.jar.Cookies()
	for i := range cookies[:min(len(cookies), maxCookieNames)] {
		c := &cookies[i]
		if mayBeSession(c.Value) && !credential.IsForgeryToken(c.Name) {
			if _, known := n.names.LoadOrStore(foldName(c.Name), true); !known {
				n.count.Add(1)
			}
		}
	}
}

func (n *CookieNames) has(name string) bool {
	_, known := n.names.Load(foldName(name))
	return known
}

// foldName is a name as the loosest applications read it.
func foldName(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = text.FoldParam(b[i])
	}
	return string(b)
}

// IsSession reports whether a credential that was removed from a request is one by which an application knows a
// person, rather than something that is only not known to be harmless:
//
//   - what the adapter names, and what has the format of a credential;
//   - a cookie that a login of the adapter set, whatever its name, or that the application has set since under a
//     name that sessions have. set has the former, s the latter; s may be nil;
//   - a parameter or a field whose name only says that it is the id of some session, if the application knows such
//     a name. Pages make up ids of that kind for themselves.
//
// A mask that comes back is none.
func (a *Adapter) IsSession(b *Borrowed, set *CookieNames, s *Session) bool {
	value := b.Value.Reveal()
	switch {
	case value == "" || isReturnedMask(value):
		return false
	case b.isSomeSession:
		return a.knowsSessionName(b.Name, set, s)
	case b.Session:
		return true
	case b.In != "cookie" || !mayBeSession(value):
		return false
	}
	return set.has(b.Name) || a.namesSessionCookie(b.Name) && jarHas(s, b.Name)
}

// mayBeSession reports whether the value of a cookie can be what a session is known by.
func mayBeSession(value string) bool {
	return len(value) >= minCookieSecret && !mask.IsPlain(unescapeCookie(value))
}

func jarHas(s *Session, name string) bool {
	if s == nil {
		return false
	}
	for _, c := range s.jar.Cookies() {
		if sameParam(c.Name, name) {
			return true
		}
	}
	return false
}

// knowsSessionName reports whether the application has a session under a name: the adapter says so, a login set a
// cookie of that name, or the login takes a value from there.
func (a *Adapter) knowsSessionName(name string, set *CookieNames, s *Session) bool {
	short, leaf := partsOfName(name)
	for _, n := range []string{name, short, leaf} {
		if n == "" {
			continue
		}
		isNamed := text.GlobAny(a.spec.Cookies.Hold, n, text.FoldParam) || a.isLoginCookie(n)
		if isNamed || set.has(n) || jarHas(s, n) || slices.ContainsFunc(a.sessionNames, func(known string) bool { return sameParam(known, n) }) {
			return true
		}
	}
	return false
}

// sessionNamesOf returns the names under which a login takes values from the application, and under which it
// gives them back.
func sessionNamesOf(l *LoginSpec) []string {
	var names []string
	add := func(name string) {
		if name = name[strings.LastIndexByte(name, '.')+1:]; name != "" {
			names = append(names, name)
		}
	}
	for name := range l.Query {
		add(name)
	}
	for name := range l.JSON {
		add(name)
	}
	for i := range l.Steps {
		for name, take := range l.Steps[i].Take {
			add(name)
			add(take.JSON)
			add(take.Cookie)
			add(take.Header)
		}
	}
	return names
}

// isSomeSession reports whether a parameter or a field is judged by nothing but a name that says session: its value
// has no format that is a credential's. Names that only frameworks give to their sessions are others.
func isSomeSession(name, value string) bool {
	v := credential.ByName(name, value)
	switch v.What {
	case "sessionid", "session", "sess", "sid", "sessid":
	default:
		return false
	}
	folded := strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
	for _, word := range []string{"jsessionid", "phpsessid", "aspsession", "aspnetsession", "connectsid"} {
		if strings.Contains(folded, word) {
			return false
		}
	}
	return !credential.Value(value).IsCredential()
}

// minMask is the length of the shortest run of asterisks that is taken for a mask.
const minMask = 4

// isReturnedMask reports whether a value is what Byline writes for a secret, with no more around it than a word:
// an agent that repeats what a page shows sends it back.
func isReturnedMask(value string) bool {
	if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "basic") {
		user, password, isPair := strings.Cut(string(decodeBase64(strings.TrimSpace(rest))), ":")
		return isPair && len(user) > 0 && len(password) >= minMask && credential.IsMask(password)
	}
	plain := unescapeCookie(value)
	run := 0
	for i := 0; i < len(plain) && run < minMask; i++ {
		run++
		if plain[i] != '*' {
			run = 0
		}
	}
	if run < minMask {
		return false
	}
	rest := strings.ReplaceAll(plain, "*", "")
	return len(rest) < minCookieSecret || mask.IsPlain(rest)
}
