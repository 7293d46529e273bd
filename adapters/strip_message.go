package adapters

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// judgeMessage returns the credentials in a message: members of its JSON by name and value, however deep, and in other
// text every word and every pair of a name and a value.
func (a *Adapter) judgeMessage(s *Session, m readMessage) []Borrowed {
	j := messageJudge{adapter: a, session: s}
	if m.json != nil {
		j.value("", m.json.Root())
		return j.found
	}
	j.text(m.text)
	return j.found
}

// JudgeMessageText returns the credentials in the text of a control frame.
func (a *Adapter) JudgeMessageText(s *Session, text []byte) []Borrowed {
	return a.judgeMessage(s, readMessage{text: text})
}

// maxBorrowedInMessage bounds what one message adds to the record.
const maxBorrowedInMessage = 8

// messageJudge collects the credentials of one message.
type messageJudge struct {
	adapter *Adapter
	session *Session
	found   []Borrowed
}

func (j *messageJudge) report(name, value string) {
	if len(j.found) < maxBorrowedInMessage {
		j.found = append(j.found, Borrowed{In: "message", Name: name, Value: NewSecret(value), Session: true})
	}
}

// value judges a value of JSON and all that is in it. name is the key under which it stands; an element of a list has
// that of the list.
func (j *messageJudge) value(name string, v body.Value) {
	switch v.Kind() {
	case body.JSONObject:
		for key, member := range v.Members() {
			j.value(key, member)
		}
	case body.JSONArray:
		for item := range v.Items() {
			j.value(name, item)
		}
	case body.JSONString:
		text := v.Text()
		if j.isBorrowed(name, text) {
			j.report(name, text)
			return
		}
		j.nested(name, text)
	case body.JSONNumber:
		if j.isBorrowed(name, v.Text()) {
			j.report(name, v.Text())
		}
	}
}

// nested judges a string that holds JSON itself, as in the frames of Action Cable.
func (j *messageJudge) nested(name, text string) {
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return
	}
	var doc body.JSON
	if doc.Parse([]byte(text), body.JSONOptions{MaxValues: maxMessageValues}) == nil {
		j.value(name, doc.Root())
	}
}

// text judges text that is not JSON, or not JSON alone: the header lines of STOMP, the packets of socket.io, commands.
func (j *messageJudge) text(b []byte) {
	if !utf8.Valid(b) {
		j.runs(b)
		return
	}
	if i := bytes.IndexAny(b, "{["); i >= 0 {
		var doc body.JSON
		if doc.Parse(b[i:], body.JSONOptions{MaxValues: maxMessageValues}) == nil {
			j.value("", doc.Root())
			b = b[:i]
		}
	}

	for line := range strings.FieldsFuncSeq(string(b), func(c rune) bool { return c == '\n' || c == '\r' || c == 0 || c == '&' || c == ';' }) {
		j.line(line)
	}
}

// runs judges the runs of printable ASCII in bytes that are not text.
func (j *messageJudge) runs(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexFunc(b, func(c rune) bool { return c < ' ' || c > '~' })
		if end < 0 {
			end = len(b)
		}
		if end >= minCredentialRun {
			j.line(string(b[:end]))
		}
		b = b[min(end+1, len(b)):]
	}
}

// minCredentialRun is the length of the shortest run of text in a binary message that is judged.
const minCredentialRun = 8

// line judges one line: as a pair, if a name and : or = stand at its start, and by the values in it.
func (j *messageJudge) line(line string) {
	if i := strings.IndexAny(line, ":="); i > 0 {
		name, content := strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])
		if fields := strings.Fields(name); len(fields) > 0 {
			name = fields[len(fields)-1]
		}
		if j.isBorrowed(name, content) {
			j.report(name, content)
			return
		}
	}

	if credential.Text(line).IsCredential() {
		j.report("", line)
	}
}

// isBorrowed reports whether a value under a name is a credential: by the rules for parameters of the query, or because
// the session has a cookie of that name.
func (j *messageJudge) isBorrowed(name, value string) bool {
	if j.adapter.isCredentialParam(name, value) {
		return true
	}
	return name != "" && !credential.IsMask(value) && j.session != nil && j.adapter.isSessionCookie(j.session, name)
}
