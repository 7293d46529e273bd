package adapters

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// contentJudge judges a body of a type that is not read: text of any kind, files, and what claims to be one. Many
// applications take JSON or a form without a look at its type, so what such readers may find in it is judged as the
// fields of a form are. The body goes out as it came.
type contentJudge struct {
	judge
	scanner      *body.ContentScanner
	session      func() *Session // nil before there may be one
	mediaType    body.ContentType
	codings      []string
	fault        *BodyError    // why the body cannot be judged, besides what its scanner says
	decoded      *contentJudge // judges the body with its coding undone; nil if there is none
	passedValues []string      // the last values that passed by name, in which a token passes as well

	// said and valued are a name and a value that JSON has under keys that say so, each until the other one comes.
	said, valued string
}

// maxPassedValues bounds passedValues.
const maxPassedValues = 16

var errOverride = &body.Error{Kind: body.BadSyntax, Text: "the body names another method, by which some applications go: send the request with that method"}

// newContentJudge returns the judge of the body of r. It is nil, and r.doubt set, if the head says that the body cannot
// be judged.
func (a *Adapter) newContentJudge(r *request) *contentJudge {
	t, err := body.ScannedContentType(r.contentTypeFields()...)
	if err != nil {
		r.doubtError(err)
		return nil
	}
	codings := contentCodings(r.q.Fields)
	if len(codings) > 1 || len(codings) == 1 && !isJudgedCoding(codings[0]) {
		r.doubtBody(doubtCoded)
		return nil
	}

	return &contentJudge{judge: judge{adapter: a}, mediaType: t, codings: codings}
}

// restart makes c ready to judge the body from its beginning.
func (c *contentJudge) restart() {
	c.judge = judge{adapter: c.adapter, out: &Outbound{}, in: "body"}
	c.fault, c.passedValues, c.said, c.valued = nil, nil, "", ""
	c.scanner = body.NewContentScanner(c.mediaType, contentTokens, c.add, c.suspects)
}

// contentTokens say what a token in text is made of.
var contentTokens = body.Tokens{IsTokenByte: credential.IsTokenByte, Shortest: credential.MinToken, MayBegin: credential.MayBeginToken}

// suspects reports whether a finding would be found, if it is one.
func (c *contentJudge) suspects(f body.Finding) bool {
	trial := contentJudge{judge: judge{adapter: c.adapter, out: &Outbound{}, in: c.in}, session: c.session}
	trial.add(f)
	return trial.hasFound()
}

func (c *contentJudge) hasFound() bool { return len(c.out.Credentials) > 0 || c.out.LoginField != "" }

// add judges what a reader may find.
func (c *contentJudge) add(f body.Finding) {
	if c.hasFound() {
		return
	}
	switch f.Reader {
	case body.ReadsToken:
		c.addToken(f.Value)
		return
	case body.ReadsWhole:
		c.addWhole(f.Value)
		return
	}
	if f.Name == "" {
		f.Name = f.Parent
	}
	if f.Reader != body.ReadsJSON && isCommonElement(f.Name) {
		return
	}

	if f.Parent == "" && (f.Reader == body.ReadsJSON || f.Reader == body.ReadsForm) && isOverride(f.Name) {
		c.fault = errOverride
		return
	}
	if isDocumentName(f.Name) {
		body.ScanWords(f.Value, c.add)
	}
	c.pair(f.Name, f.Value)
	if f.Reader == body.ReadsJSON {
		c.addNamed(f)
	}
	if c.passes(f.Name) {
		c.passedValues = append(c.passedValues[max(0, len(c.passedValues)-maxPassedValues+1):], f.Value)
	}
	if f.Parent != "" && len(c.out.Credentials) == 0 && !c.passes(f.Name) {
		if name := f.Parent + "." + f.Name; credential.Pair(name, f.Value).IsCredential() && !c.passes(name) {
			c.found(name, f.Value)
		}
	}
	if c.session != nil && c.adapter.isSessionCookie(c.session(), f.Name) && !c.passes(f.Name) {
		c.found(f.Name, f.Value)
	}
}

// addNamed judges a value of JSON by the name that stands next to it, as in {"name": "password", "value": "x"}.
func (c *contentJudge) addNamed(f body.Finding) {
	switch {
	case isKeyOfName(f.Name):
		c.said = f.Value
	case isKeyOfValue(f.Name):
		c.valued = f.Value
	default:
		return
	}
	if c.said == "" || c.valued == "" {
		return
	}

	if !c.hasFound() && nameForRecord(c.said) == c.said {
		c.pair(c.said, c.valued)
	}
	c.said, c.valued = "", ""
}

// addToken judges what stands in text without a name.
func (c *contentJudge) addToken(run string) {
	if slices.ContainsFunc(c.passedValues, func(value string) bool { return strings.Contains(value, run) }) {
		return
	}
	if credential.TokenInText(run).IsCredential() || run == body.PrivateKeyLine {
		c.found("", run)
	}
}

// addWhole judges a short body as the one value that it may be. What has names is judged by them.
func (c *contentJudge) addWhole(value string) {
	if strings.ContainsAny(value, "{[\"<&?") || strings.Contains(strings.TrimRight(value, "="), "=") {
		return
	}
	if credential.Value(value).IsCredential() {
		c.found("", value)
	}
}

// isCommonElement reports names of elements that mean something else in widespread formats: S3 deletes objects by <Key>,
// and Apple's property lists have a <key> for each value.
func isCommonElement(name string) bool { return strings.EqualFold(name, "key") }

// judgeParts judges what a form holds in its parts as JSON: servers like Spring read such a part as they read a JSON body.
func (a *Adapter) judgeParts(r *request) {
	if r.upload == nil {
		return
	}
	for i := range r.upload.Parts {
		part := &r.upload.Parts[i]
		if scan := a.partScanner(part, &r.out); scan != nil {
			scan.write(part.Value, part.Content == nil)
		}
		if part.Kind == body.TypedField {
			j := judge{adapter: a, out: &r.out, in: "body"}
			j.pair(part.Name, string(part.Value))
		}
	}
}

// partScanner returns what judges the content of a part; nil for a file, in which a password is text like any other. The
// type of a part says what it is: no server reads JSON in one of another type.
func (a *Adapter) partScanner(part *body.Part, out *Outbound) *contentJudge {
	if part.Kind != body.TypedField && !isJSONType(part.Type) {
		return nil
	}
	c := &contentJudge{judge: judge{adapter: a}, mediaType: body.ContentType{Media: part.Type}}
	c.restart()
	c.out = out
	return c
}

// write judges a piece of a part, and its end.
func (c *contentJudge) write(piece []byte, isEnd bool) {
	_, _ = c.scanner.Write(piece)
	if isEnd {
		_ = c.scanner.Close()
	}
}

// judgeContent judges a body that no rule has read. A body that is held is judged now, another one when it is sent: see
// Outbound.JudgeBody. It returns the kind of the Reason if the body cannot be judged.
func (a *Adapter) judgeContent(r *request) ReasonKind {
	if r.q.NoBody || r.isBodyRead() || r.q.Upload != nil {
		return ""
	}
	c := a.newContentJudge(r)
	if c == nil {
		return UnreadableBody
	}
	if r.q.Body == nil || r.q.Truncated {
		r.out.content = c
		return ""
	}

	c.restart()
	f := c.judgeAll(bytes.NewReader(r.q.Body))
	r.out.names = append(r.out.names, c.out.names...)
	if c.decoded != nil {
		r.out.names = append(r.out.names, c.decoded.out.names...)
	}
	if r.out.LoginField == "" {
		r.out.LoginField = f.LoginField
	}
	if f.Credential != nil {
		r.out.Credentials = append(r.out.Credentials, *f.Credential)
	}
	if f.Unreadable != nil {
		r.doubtError(f.Unreadable)
		return UnreadableBody
	}
	return ""
}

// judgeAll judges a body that is not sent on, as it came and with its coding undone. It returns what it found first.
func (c *contentJudge) judgeAll(src io.Reader) (first BodyFinding) {
	r := c.read(src, func(f BodyFinding) error {
		if first == (BodyFinding{}) {
			first = f
		}
		return io.ErrUnexpectedEOF
	})
	_, _ = io.Copy(io.Discard, r)
	return first
}

// BodyFinding is why a body must not reach the application. One of the members is set.
type BodyFinding struct {
	LoginField string     // the field by which it would log in
	Credential *Borrowed  // the credential that it holds
	Unreadable *BodyError // why it cannot be judged
}

// JudgesBody reports whether the body has to be sent through JudgeBody.
func (o *Outbound) JudgesBody() bool { return o.content != nil }

// JudgeBody returns a reader of the body src that goes out as it came. It judges what it reads before it gives it out. If
// it finds something, it calls found, and fails with the error that found returns: the caller must then break the request
// off. session returns the session that the request goes out with; it is called while the body is read.
func (o *Outbound) JudgeBody(src io.Reader, session func() *Session, found func(BodyFinding) error) io.Reader {
	o.content.restart()
	o.content.session = session
	return o.content.read(src, found)
}

// read returns a reader of src that calls found.
func (c *contentJudge) read(src io.Reader, found func(BodyFinding) error) io.Reader {
	plain := &judgedReader{src: src, judge: c, found: found}
	if len(c.codings) == 0 {
		return plain
	}
	inner := *c // an application may also undo the coding
	inner.restart()
	c.decoded = &inner
	return newCodedReader(plain, &judgedReader{judge: &inner, found: found}, c.codings[0])
}

// judgedReader gives out what was judged. It holds back what may belong to a name with a value that has not ended, a few
// KiB at most.
type judgedReader struct {
	src   io.Reader
	judge *contentJudge
	found func(BodyFinding) error
	ready []byte    // to be given out
	held  []byte    // judged, and maybe not to be given out
	spare [2][]byte // memory for both, used in turn
	turn  int
	ended bool
	err   error // of src, or what found returned; given out after ready
}

// Read implements io.Reader.
func (j *judgedReader) Read(p []byte) (int, error) {
	for {
		switch {
		case len(j.ready) > 0:
			n := copy(p, j.ready)
			j.ready = j.ready[n:]
			return n, nil
		case j.err != nil:
			return 0, j.err
		}

		n, err := j.src.Read(p)
		if fault := j.check(p[:n], err == io.EOF); fault != nil {
			j.err, j.held = fault, nil
			return 0, fault
		}
		hold := 0
		if err == nil {
			hold = j.judge.scanner.Pending()
		}
		if len(j.held) == 0 && hold == 0 {
			j.err = err
			return n, err
		}
		j.hold(p[:n], hold)
		j.err = err
	}
}

// hold adds a piece to what is held, of which the last n bytes stay so.
func (j *judgedReader) hold(piece []byte, n int) {
	all := append(append(j.spare[j.turn][:0], j.held...), piece...)
	j.spare[j.turn] = all
	j.turn = 1 - j.turn
	give := max(len(all)-n, 0)
	j.ready, j.held = all[:give:give], all[give:]
}

func (j *judgedReader) lastError() error { return j.err }

func (j *judgedReader) pending() int { return j.judge.scanner.Pending() }

func (j *judgedReader) refuse(why *BodyError) error { return j.found(BodyFinding{Unreadable: why}) }

// check judges the next piece, and the end of the body.
func (j *judgedReader) check(piece []byte, isEnd bool) error {
	_, err := j.judge.scanner.Write(piece)
	if err == nil && isEnd && !j.ended {
		j.ended = true
		err = j.judge.scanner.Close()
	}

	if err == nil && j.judge.fault != nil {
		err = j.judge.fault
	}

	out := j.judge.out
	switch {
	case out.LoginField != "":
		return j.found(BodyFinding{LoginField: out.LoginField})
	case len(out.Credentials) > 0:
		return j.found(BodyFinding{Credential: &out.Credentials[0]})
	case err != nil:
		return j.found(BodyFinding{Unreadable: err.(*BodyError)})
	}
	return nil
}
