package adapters

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// judgeMessage returns the credentials in a message. Members of its JSON are judged as those of a body are. In other
// text every line is judged, as a pair of a name and a value and by the values in it. body.pass lets names through.
func (a *Adapter) judgeMessage(s *Session, m readMessage) []Borrowed {
	var out Outbound
	j := messageJudge{judge{adapter: a, out: &out, in: "message"}}
	if m.json != nil {
		j.json("", "", m.json.Root())
	}
	j.lines(m.text)

	if out.LoginField != "" {
		j.found(out.LoginField, "")
	}
	if s != nil {
		if name := a.SessionCookieInBody(s, &out); name != "" {
			j.found(name, "")
		}
	}
	return out.Credentials[:min(len(out.Credentials), maxBorrowedInMessage)]
}

// JudgeMessageText returns the credentials in the text of a control frame.
func (a *Adapter) JudgeMessageText(s *Session, text []byte) []Borrowed {
	return a.judgeMessage(s, readMessage{text: text})
}

// maxBorrowedInMessage bounds what one message adds to the record.
const maxBorrowedInMessage = 8

// messageJudge judges one message.
type messageJudge struct{ judge }

// lines judges text that is not JSON, or not JSON alone: the header lines of STOMP, the packets of socket.io, commands.
func (j *messageJudge) lines(b []byte) {
	if !utf8.Valid(b) {
		j.runs(b)
		return
	}
	if i := bytes.IndexAny(b, "{["); i >= 0 {
		var doc body.JSON
		if doc.Parse(b[i:], body.JSONOptions{MaxValues: maxMessageValues}) == nil {
			j.json("", "", doc.Root())
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

// line judges one line.
func (j *messageJudge) line(line string) {
	before := len(j.out.Credentials)
	if i := strings.IndexAny(line, ":="); i > 0 {
		name, content := strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])
		if words := strings.Fields(name); len(words) > 0 {
			name = words[len(words)-1]
		}
		j.pair(name, content)
		if j.passes(name) {
			return
		}
	}

	if len(j.out.Credentials) == before && credential.Text(line).IsCredential() {
		j.found("", line)
	}
}
