package adapters

import (
	"net/url"
	"strings"
	"time"
)

// Outgoing is one request on its way to the application. The caller fills in what Strip and
// StripQuery returned for the agent's request; Put adds the session. It then holds secrets and prints
// as REDACTED.
type Outgoing struct {
	redacted

	Method   string
	Host     string // the authority that the agent named; may have a port
	Path     string
	Query    string // without "?"
	HasQuery bool   // there is a "?", perhaps with nothing after it
	TLS      bool   // cookies with the attribute Secure may go out

	Fields  []Field  // as Strip returned them; Put may write into the array
	Cookies []Cookie // the agent's own, as Strip returned them
	Body    []byte   // the whole body, for an adapter that PutsSessionInBody; else nil

	Count  int64  // number of the request on its lease, for an adapter that CountsRequests
	Intent string // id of the durable intent record, for an adapter that CountsRequests

	Now time.Time
}

// Put puts the session s on a request and returns the Masker for its answer. It replaces whatever the
// request has under the names that the session sets: header fields, cookies, parameters of the query
// and members of a JSON body. To put another session on, the caller must start again from what Strip
// and StripQuery returned.
//
// Put is safe for concurrent use on different requests. For a session of cookies it allocates the
// value of the Cookie field and what r.Fields needs to grow.
func (a *Adapter) Put(s *Session, r *Outgoing) Masker {
	r.Fields = a.putFields(r.Fields, s, r.Cookies, r.Host, r.Path, r.TLS, r.Now)
	r.Fields = a.putCount(r.Fields, r.Count, r.Intent)
	m := s.masker(r) // after the cookies, because it must mask every value that goes out

	r.Query = putQuery(r.Query, s)
	r.HasQuery = r.HasQuery || r.Query != ""
	r.Body = putJSON(r.Body, s)
	r.Fields = putDigest(r.Fields, s, r) // last, because the digest covers the query

	return m
}

// putQuery appends the session's parameters to a raw query. Most sessions have none.
func putQuery(raw string, s *Session) string {
	if len(s.query) == 0 {
		return raw
	}

	var b strings.Builder
	b.WriteString(raw)
	for _, q := range s.query {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(q.Name) + "=" + url.QueryEscape(q.Value))
	}
	return b.String()
}

// putDigest appends the answer to the session's digest challenge, which differs for each request. Most
// sessions have no challenge.
func putDigest(dst []Field, s *Session, r *Outgoing) []Field {
	if s.digest == nil {
		return dst
	}

	target := r.Path
	if r.HasQuery {
		target += "?" + r.Query
	}
	return append(dst, Field{Name: "Authorization", Value: s.digest.Answer(r.Method, target)})
}
