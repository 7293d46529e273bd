package proxy

import (
	"bytes"
	"io"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// peekLimit bounds how much of a body is held to name an action by what is in it: a wiki page that is saved is a form of
// some MiB. A longer one is not looked at, and named only by an action that does not ask for its fields.
const peekLimit = 4 << 20

// headRoom bounds how much of an answer is held to see whether the session has ended.
const headRoom = 64 << 10

// admit lets a request in: the tunnel's own host, a path with one meaning, a
// task that is still alive. It runs per request: a tunnel outlives decisions.
func (x *exchange) admit() error {
	h := &x.in.Head
	if err := x.tunnel.task.Active(); err != nil {
		return ended(err)
	}
	if !x.tunnel.named(h.Authority, h.Scheme) {
		return refuse(Misdirected, "this tunnel leads to %s, the request names %q. Open a tunnel to the host that you want.", x.tunnel.authority, h.Authority)
	}
	x.adapter = x.tunnel.adapter(x.rules)
	if x.adapter == nil {
		return hostNotAdapted(x.tunnel.authority)
	}
	if x.rules.refuseOverdue && x.adapter.Overdue(x.began) {
		return refuse(PolicyDenied, "the adapter %s was due for review on %s and is out of use until its owner %s reviews it.",
			x.adapter.Name(), x.adapter.Interim().ReviewBy, x.adapter.Interim().Owner)
	}
	if why := ambiguousPath(h.Path); why != "" {
		return refuse(AmbiguousRequest, "the path %s. Send it in its plain form.", why)
	}
	return nil
}

// ambiguousPath tells why two readers could take a raw path for different
// resources, or "" when they could not. A SaaS, its front server and we each
// decode and resolve paths in our own way, so whatever those ways can disagree
// about is not carried (RFC 3986 sections 5.2.4 and 6.2.2).
func ambiguousPath(p string) string {
	if p == "*" {
		return ""
	}
	if !strings.HasPrefix(p, "/") {
		return "does not begin with a slash"
	}
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c <= ' ' || c == 0x7f:
			return "holds a control byte or a space"
		case c >= 0x80:
			return "holds bytes outside ASCII that are not percent-encoded"
		case c == '\\' || c == '#' || c == '?':
			return "holds a backslash, a fragment or a second question mark"
		case c == ';':
			return "holds a path parameter (;)"
		case c == '/':
			if why := ambiguousSegment(p[i+1:]); why != "" {
				return why
			}
		case c == '%':
			if why := ambiguousEscape(p[i:]); why != "" {
				return why
			}
		}
	}
	return ""
}

// ambiguousSegment looks at what follows a slash.
func ambiguousSegment(rest string) string {
	if strings.HasPrefix(rest, "/") {
		return "holds an empty segment (//)"
	}
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	if s := rest[:end]; s == "." || s == ".." {
		return "holds a dot segment"
	}
	return ""
}

// ambiguousEscape looks at a percent sign: what it hides must not be a byte
// that gives a path its structure, nor a percent sign that hides another.
func ambiguousEscape(s string) string {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return "holds a percent sign that encodes nothing"
	}
	switch unhex(s[1])<<4 | unhex(s[2]) {
	case '/', '\\':
		return "hides a slash or a backslash behind percent-encoding"
	case '.':
		return "hides a dot behind percent-encoding"
	case ';', '?', '#':
		return "hides a delimiter behind percent-encoding"
	case '%':
		return "is percent-encoded twice"
	}
	c := unhex(s[1])<<4 | unhex(s[2])
	if c < 0x20 || c == 0x7f {
		return "hides a control byte behind percent-encoding"
	}
	if c >= 0xc0 && overlong(c, s[3:]) {
		return "hides a byte behind UTF-8 that is longer than it must be"
	}
	return ""
}

// overlong: lead and the escape behind it begin an encoding of a character that
// a shorter one has (RFC 3629 section 10). Lax decoders make a dot or a slash of
// it; a lone byte of Latin-1 is none.
func overlong(lead byte, rest string) bool {
	if len(rest) < 3 || rest[0] != '%' || !isHex(rest[1]) || !isHex(rest[2]) {
		return false
	}
	next := unhex(rest[1])<<4 | unhex(rest[2])
	switch lead {
	case 0xc0, 0xc1:
		return next >= 0x80 && next < 0xc0
	case 0xe0:
		return next >= 0x80 && next < 0xa0
	case 0xf0:
		return next >= 0x80 && next < 0x90
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// canonicalAuthority is host:port with the scheme's port filled in, lower
// case, without a trailing dot: one spelling for one place. "" when there is
// none.
func canonicalAuthority(authority, scheme string) string {
	host, port := splitAuthority(authority)
	if host == "" {
		return ""
	}
	if port == "" {
		port = "443"
		if scheme == "http" {
			port = "80"
		}
	}
	return host + ":" + port
}

// splitAuthority splits host[:port] and [v6][:port]; the host comes back in
// lower case, v6 with its brackets, and without a trailing dot.
func splitAuthority(a string) (host, port string) {
	host = a
	if i := strings.LastIndexByte(a, ':'); i >= 0 && !strings.HasSuffix(a, "]") {
		host, port = a[:i], a[i+1:]
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", "" // a bare IPv6 address cannot be told from a port
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), port
}

// query is what the adapter names the action by, but for the body.
func (x *exchange) query() adapters.Query {
	h := &x.in.Head
	return adapters.Query{Method: h.Method, Path: h.Path, RawQuery: h.Query, ContentType: value(h.Fields, "Content-Type"), Fields: h.Fields}
}

// peek holds the head of the body when the adapter needs it to name the
// action, or when it is small enough to be sent again.
func (x *exchange) peek() error {
	h := &x.in.Head
	if x.in.Body == nil {
		x.kept = true
		return nil
	}
	if !x.adapter.NeedsBody(x.query()) {
		return nil
	}
	if coding := value(h.Fields, "Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(AmbiguousRequest, "what this request does is said in its body, which is in the coding %q. Send it without Content-Encoding.", coding)
	}
	if h.Length > peekLimit {
		x.body = []byte{}
		return nil
	}
	var err error
	if x.body, err = readUpTo(x.in.Body, h.Length); err != nil {
		if m := wire.BodyFault(err); m != nil {
			return malformed(m).because(err)
		}
		return refuse(AmbiguousRequest, "the body broke off before the action could be named. Send it whole.").because(err)
	}
	if x.kept = len(x.body) <= peekLimit; int64(len(x.body)) < h.Length {
		return refuse(AmbiguousRequest, "the body is shorter than its Content-Length. Send it whole.")
	}
	return nil
}

// readUpTo reads a body of that length, or one of unknown length (-1) as far as one byte beyond the limit. What an agent
// announces takes no memory, what it sends does.
func readUpTo(body io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		length = peekLimit + 1
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(length, headRoom)+bytes.MinRead))
	_, err := buf.ReadFrom(io.LimitReader(body, length))
	if err == io.ErrUnexpectedEOF {
		err = nil // the caller counts
	}
	return buf.Bytes(), err
}

// outBody is what was peeked, then the rest.
func (x *exchange) outBody() io.Reader {
	switch {
	case x.in.Body == nil:
		return nil
	case x.body == nil:
		return x.in.Body
	case x.kept:
		return newReplay(x.body)
	}
	return io.MultiReader(newReplay(x.body), x.in.Body)
}

// stripBody finds what the agent carried of a person's in a body that is to carry the session.
func (x *exchange) stripBody(q adapters.Query) error {
	if !x.adapter.PutsJSON() || x.in.Body == nil {
		return nil
	}
	var err error
	if x.inBody, err = x.adapter.StripJSON(q); err == nil {
		return nil
	}
	if q.Truncated {
		return refuse(AmbiguousRequest, "the session at %s travels in the body, and this body is longer than %d bytes. Send less at once.", x.tunnel.host, peekLimit)
	}
	return refuse(AmbiguousRequest, "the session at %s travels in the JSON body. Send one JSON object, or a list of them, as application/json "+
		"in UTF-8, with no name twice and with whatever the session's place lies in.", x.tunnel.host).because(err)
}

// injectBody puts the session into the body, where the adapter says so.
func (x *exchange) injectBody() {
	if !x.adapter.PutsJSON() || x.body == nil || !x.kept {
		return
	}
	body := x.adapter.PutJSON(x.body, x.session)
	x.out.Body, x.out.Length = newReplay(body), int64(len(body))
}

// value is the first field of that name, compared as HTTP does.
func value(fields []wire.Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}
