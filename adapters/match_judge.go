package adapters

import (
	"regexp"
	"slices"
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
		j.noteLogin(r.params[i].Name, r.params[i].Value, a.spec.Query.Pass)
	}
}

// judgeBody judges every name and every value of the body.
func (a *Adapter) judgeBody(r *request) {
	j := judge{adapter: a, out: &r.out, in: "body"}
	for i := range r.form {
		j.pair(r.form[i].Name, r.form[i].Value)
	}
	for _, name := range r.files {
		if credential.Name(name).IsCredential() && !j.passes(name) {
			j.found(name, "")
		}
	}
	if r.jsonState == parsed || r.graphState == parsed {
		j.json("", "", r.json.Root())
	}
	if r.xmlState == parsed && r.xml != nil && r.xml.Root != nil {
		j.xml(r.xml.Root)
	}
}

func (j *judge) passes(name string) bool { return text.GlobAny(j.adapter.spec.Body.Pass, name, nil) }

func (j *judge) found(name, value string) {
	j.out.Credentials = append(j.out.Credentials, Borrowed{In: j.in, Name: name, Value: NewSecret(value), Session: true})
}

// pair judges a field.
func (j *judge) pair(name, value string) {
	if len(j.out.names) < maxNamesJudged {
		j.out.names = append(j.out.names, name)
	}
	j.noteLogin(name, value, j.adapter.spec.Body.Pass)
	if credential.Pair(name, value).IsCredential() && !j.passes(name) {
		j.found(name, value)
	}
}

// json judges the members of a value, at all depths. An element of a list has the name of the list, and a member is
// judged by the key of its object as well: {"session": {"id": …}} is a session id. path is the dotted pointer to v; what
// stands where the session goes is replaced, and not judged.
func (j *judge) json(path, name string, v body.Value) {
	switch v.Kind() {
	case body.JSONObject:
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
				before := len(j.out.Credentials)
				j.pair(key, member.Text())
				if name != "" && len(j.out.Credentials) == before && !j.passes(name+"."+key) &&
					credential.Pair(name+"."+key, member.Text()).IsCredential() {
					j.found(name+"."+key, member.Text())
				}
			}
		}
	case body.JSONArray:
		for item := range v.Items() {
			j.json(path, name, item)
		}
	case body.JSONString, body.JSONNumber:
		j.pair(name, v.Text())
	}
}

// xml judges elements and attributes by their local names.
func (j *judge) xml(e *body.Element) {
	if len(e.Children) == 0 {
		j.pair(e.Local, strings.TrimSpace(e.Text))
	}
	for i := range e.Attrs {
		j.pair(e.Attrs[i].Local, e.Attrs[i].Value)
	}
	for _, child := range e.Children {
		j.xml(child)
	}
}

// noteLogin notes a field into which the adapter's login puts a secret.
func (j *judge) noteLogin(name, value string, pass []string) {
	if j.out.LoginField != "" || credential.IsMask(value) || text.GlobAny(pass, name, nil) {
		return
	}
	short := strings.TrimLeft(name, " ")
	if i := strings.IndexAny(short, "[\x00"); i > 0 {
		short = short[:i]
	}
	for _, field := range j.adapter.loginFields {
		if sameParam(field, short) || sameParam(field, name) {
			j.out.LoginField = field
		}
	}
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

// templateVariables finds the variables of a template.
var templateVariables = regexp.MustCompile(`\$\{([a-zA-Z0-9_]+)`)

// loginFieldsOf are the names of the fields into which the steps of a login put a secret: any field of the account's
// secret but its username. Values that a step takes from a page are not secrets, and values that are made from secrets
// are.
func loginFieldsOf(l *LoginSpec) []string {
	taken := map[string]bool{"username": true}
	for i := range l.Steps {
		for name := range l.Steps[i].Take {
			taken[name] = true
		}
	}
	made := map[string]string{}
	for i := range l.Steps {
		for name, template := range l.Steps[i].Let {
			made[name] = template
		}
	}

	var isSecret func(template string, depth int) bool
	isSecret = func(template string, depth int) bool {
		for _, m := range templateVariables.FindAllStringSubmatch(template, -1) {
			if from, isMade := made[m[1]]; isMade {
				if depth < 8 && isSecret(from, depth+1) {
					return true
				}
			} else if !taken[m[1]] {
				return true
			}
		}
		return false
	}

	var fields []string
	add := func(name, template string) {
		if name != "" && !strings.Contains(name, "$") && isSecret(template, 0) && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	var addJSON func(name string, node any)
	addJSON = func(name string, node any) {
		switch node := node.(type) {
		case string:
			add(name, node)
		case map[string]any:
			for key, member := range node {
				addJSON(key, member)
			}
		case []any:
			for _, member := range node {
				addJSON(name, member)
			}
		}
	}
	for i := range l.Steps {
		step := &l.Steps[i]
		for name, template := range step.Form {
			add(name, template)
		}
		addJSON("", step.JSON)
		for _, target := range []string{step.Get, step.Post, step.Put} {
			_, query, _ := strings.Cut(target, "?")
			for pair := range strings.SplitSeq(query, "&") {
				name, template, _ := strings.Cut(pair, "=")
				add(credential.Unescape(name), template)
			}
		}
	}
	slices.Sort(fields)
	return fields
}
