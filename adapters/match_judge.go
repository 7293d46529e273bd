package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxNamesJudged bounds how many names of one body are kept to be compared with the cookies of the session.
const maxNamesJudged = 1024

// isJudged reports whether the body is of a type in which credentials are looked for even if no action is decided by it:
// a form or JSON.
func (r *request) isJudged() bool {
	if r.q.NoBody {
		return false
	}
	media, ok := r.mediaType()
	if !ok { // a reader that is less strict may still take it for one of them
		said := strings.ToLower(strings.Join(r.contentTypeFields(), ","))
		return strings.Contains(said, "json") || strings.Contains(said, "form")
	}
	return media == body.FormType || media == body.MultipartType || r.isJSON()
}

// readForJudge reads a body that no rule has read. It is false for a body that cannot be read without doubt.
func (r *request) readForJudge() bool {
	if r.isBodyRead() || !r.hasBody() || !r.isJudged() {
		return true
	}
	if r.isJSON() {
		return r.readJSON()
	}
	return r.readForm()
}

// judge looks for credentials and for the fields of a login in the body that was read.
type judge struct {
	adapter *Adapter
	out     *Outbound
	in      string // query or body
}

// judgeQuery looks for a login in the query. Credentials in it are removed later: see StripQuery.
func (a *Adapter) judgeQuery(r *request) {
	if len(a.loginFields) == 0 {
		return
	}
	j := judge{adapter: a, out: &r.out, in: "query"}
	for i := range r.params[:r.queryPairs] {
		p := &r.params[i]
		j.noteLogin(p.Name, p.Value, a.spec.Query.Pass)
		if isDocumentName(p.Name) {
			walkGraphQL(p.Value, func(name, value string) { j.noteLogin(name, value, a.spec.Query.Pass) })
		}
	}
}

// judgeBody judges every name and every value of the body.
func (a *Adapter) judgeBody(r *request) {
	j := judge{adapter: a, out: &r.out, in: "body"}
	j.form(r.form)
	a.judgeParts(r)
	for _, name := range r.files {
		if credential.Name(name).IsCredential() && !j.passes(name) {
			j.found(name, "")
		}
	}
	if r.jsonState == parsed {
		j.json("", "", r.json.Root())
	}
	if r.document != "" {
		j.document("query", r.document)
	}
	if r.xmlState == parsed && r.xml != nil && r.xml.Root != nil {
		j.xml(r.xml.Root)
	}
}

func (j *judge) passes(name string) bool { return text.GlobAny(j.adapter.spec.Body.Pass, name, nil) }

func (j *judge) found(name, value string) {
	j.out.Credentials = append(j.out.Credentials, Borrowed{
		In: j.in, Name: nameForRecord(name), Value: NewSecret(value), Session: true, isSomeSession: isSomeSession(name, value),
	})
}

// pair judges a field.
func (j *judge) pair(name, value string) {
	j.note(name)
	j.noteLogin(name, value, j.adapter.spec.Body.Pass)
	if j.passes(name) {
		return
	}
	if strings.IndexByte(value, '=') >= 0 || strings.IndexByte(value, '%') >= 0 {
		j.notePairs(value)
	}
	if credential.Pair(name, value).IsCredential() {
		j.found(name, value)
	}
}

// notePairs keeps the names of the pairs that a value holds.
func (j *judge) notePairs(value string) {
	credential.PairNames(value, func(name string) bool {
		j.note(name)
		return true
	})
}

// value judges a value under a name that says nothing about it.
func (j *judge) value(name, value string) {
	if credential.Value(value).IsCredential() && !j.passes(name) {
		j.found(name, value)
	}
}

// note keeps a name, to be compared with the cookies of the session.
func (j *judge) note(name string) {
	if len(j.out.names) < maxNamesJudged {
		j.out.names = append(j.out.names, name)
	}
}

// json judges the members of a value, at all depths. An element of a list has the name of the list, and a member is
// judged by the key of its object as well: {"session": {"id": …}} is a session id. path is the dotted pointer to v; what
// stands where the session goes is replaced, and not judged.
func (j *judge) json(path, name string, v body.Value) {
	switch v.Kind() {
	case body.JSONObject:
		j.object(path, name, v)
	case body.JSONArray:
		for item := range v.Items() {
			if said, value, isPair := pairInList(item); isPair && nameForRecord(said) == said {
				j.pair(said, value)
			}
			j.json(path, name, item)
		}
	case body.JSONString, body.JSONNumber:
		j.pair(name, v.Text())
	}
}

func (j *judge) object(path, name string, v body.Value) {
	said := nameInObject(v)
	for key, member := range v.Members() {
		at := key
		if path != "" {
			at = path + "." + key
		}
		if _, isReplaced := j.adapter.spec.Login.JSON[at]; isReplaced || j.passes(key) {
			continue
		}
		switch member.Kind() {
		case body.JSONObject, body.JSONArray:
			j.json(at, key, member)
		case body.JSONString, body.JSONNumber:
			j.member(name, key, said, member.Text())
		}
	}
}

// member judges a text or a number in an object. name is the key of the object, and said the name that the object gives
// its value, as in {"name": "password", "value": "x"}.
func (j *judge) member(name, key, said, value string) {
	before := len(j.out.Credentials)
	if said != "" && isKeyOfName(key) {
		j.value(key, value) // the word "key" itself says nothing about a name
	} else {
		j.pair(key, value)
		j.document(key, value)
	}
	if said != "" && isKeyOfValue(key) && nameForRecord(said) == said {
		j.pair(said, value)
	}
	if name == "" || len(j.out.Credentials) > before {
		return
	}
	if joined := name + "." + key; !j.passes(joined) && credential.ByName(joined, value).IsCredential() {
		j.found(joined, value)
	}
}

// nameInObject returns the name that an object gives the value in it, or "".
func nameInObject(v body.Value) (name string) {
	hasValue := false
	for key, member := range v.Members() {
		switch {
		case isKeyOfValue(key):
			hasValue = true
		case name == "" && isKeyOfName(key) && member.Kind() == body.JSONString:
			name = member.Text()
		}
	}
	if !hasValue {
		return ""
	}
	return name
}

// pairInList returns the name and the value of a list of both, as lists of header fields and the entries of a form have
// them.
func pairInList(v body.Value) (name, value string, ok bool) {
	n := 0
	for item := range v.Items() {
		switch kind := item.Kind(); {
		case n == 0 && kind == body.JSONString:
			name = item.Text()
		case n == 1 && (kind == body.JSONString || kind == body.JSONNumber):
			value = item.Text()
		default:
			return "", "", false
		}
		n++
	}
	return name, value, n == 2
}

// isKeyOfName reports whether a key says that its value is the name of another value in the object.
func isKeyOfName(key string) bool {
	switch strings.ToLower(key) {
	case "name", "key", "field", "k", "n", "id", "param", "parameter", "header", "attribute", "property", "variable":
		return true
	}
	return false
}

// isKeyOfValue reports whether a key is that of a value whose name stands next to it.
func isKeyOfValue(key string) bool {
	switch strings.ToLower(key) {
	case "value", "val", "v":
		return true
	}
	return false
}

// xml judges elements and attributes by their local names.
func (j *judge) xml(e *body.Element) { walkXML(e, j.pair) }

// noteLogin notes a field into which the adapter's login puts a secret.
func (j *judge) noteLogin(name, value string, pass []string) {
	if j.out.LoginField != "" || credential.IsMask(value) || text.GlobAny(pass, name, nil) {
		return
	}
	short, leaf := partsOfName(name)
	for _, field := range j.adapter.loginFields {
		if sameParam(field, short) || sameParam(field, text.FoldToASCII(name)) || leaf != "" && sameParam(field, leaf) {
			j.out.LoginField = field
		}
	}
}

// partsOfName returns a name up to a [ or a NUL, as PHP reads it, and its innermost part: pass of user[pass], and "" if
// it has only one.
func partsOfName(name string) (short, leaf string) {
	short = strings.TrimLeft(text.FoldToASCII(name), " ")
	i := strings.IndexAny(short, "[\x00")
	if i <= 0 {
		return short, short[strings.LastIndexByte(short, '.')+1:]
	}
	leaf = strings.TrimRight(short[i:], "[] ")
	return short[:i], leaf[strings.LastIndexByte(leaf, '[')+1:]
}

// sameParam compares names as the loosest applications do.
func sameParam(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if text.FoldParam(a[i]) != text.FoldParam(b[i]) {
			return false
		}
	}
	return true
}

// SessionCookieInBody returns the name of a field of the body that is the name of a cookie of the session, or "".
func (a *Adapter) SessionCookieInBody(s *Session, o *Outbound) string {
	for _, name := range o.names {
		if a.isSessionCookie(s, name) && !text.GlobAny(a.spec.Body.Pass, name, nil) {
			return name
		}
	}
	return ""
}
