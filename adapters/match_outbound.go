package adapters

import (
	"crypto/rand"
	"io"
	"slices"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// Outbound is what a request goes out with instead of what the agent sent: the canonical spelling of what the action was
// decided by. What no rule looked at goes out as it came.
type Outbound struct {
	RewritesQuery bool
	Query         string // without "?"; set if RewritesQuery

	RewritesBody bool
	Body         []byte // the whole body; may be empty. Set if RewritesBody, unless the body is an upload
	ContentType  string // its Content-Type; set if RewritesBody, unless the body is an upload

	// LoginField is the name of a field by which the request would log in, at whatever path; "" if there is none. The
	// caller refuses the request.
	LoginField string

	// Credentials are the borrowed credentials in the body. The caller refuses the request if there are any.
	Credentials []Borrowed

	names   []string // of the fields of the body, to be compared with the session's cookies
	upload  *body.Upload
	adapter *Adapter    // of an upload
	later   *laterParts // judges the parts that were not known yet; nil if the upload is whole

	content *contentJudge // judges a body that goes out as it came; nil if it was judged, or is not to be
}

// IsUpload reports whether the body is a multipart form, for which OpenUpload is to be called.
func (o *Outbound) IsUpload() bool { return o.upload != nil }

// OpenUpload returns the canonical form of an upload. length is the Content-Length that it came with, or -1. The
// returned length is the one to send it with, or -1 if it is not known. If the upload is whole, OpenUpload can be called
// again.
//
// A read fails with a [BodyError] if the rest of the form is not what was decided on. The request must then be broken
// off, so that it takes no effect.
func (o *Outbound) OpenUpload(length int64) (content io.Reader, contentType string, newLength int64, err error) {
	boundary, err := o.upload.NewBoundary(rand.Reader)
	if err != nil {
		return nil, "", 0, err
	}
	contentType = body.ContentType{Media: body.MultipartType}.Header(boundary)

	if whole, known := o.upload.Length(boundary); known {
		return o.upload.Stream(boundary, body.StreamOptions{Scan: o.scanPart}), contentType, whole, nil
	}
	options := body.StreamOptions{Accept: o.later.accept, Scan: o.scanPart}
	if length > 0 {
		options.PadTo = length
	} else {
		length = -1
	}
	return o.upload.Stream(boundary, options), contentType, length, nil
}

// scanPart returns what judges the content of a part while it is sent, or nil. Of an upload that is whole and held, it
// judges again what was judged.
func (o *Outbound) scanPart(part *body.Part) func(piece []byte, isEnd bool) error {
	var found Outbound
	scan := o.adapter.partScanner(part, &found)
	if scan == nil {
		return nil
	}
	return func(piece []byte, isEnd bool) error {
		scan.write(piece, isEnd)
		if scan.hasFound() {
			return errLateCredential
		}
		return nil
	}
}

// writeOutbound sets r.out for a request that a rule matches. It returns the kind of the Reason if the request cannot be
// sent in the one spelling that was decided on.
func (r *request) writeOutbound(rule *rule, b *bindings) ReasonKind {
	if kind := r.checkUnreadType(); kind != "" {
		return kind
	}
	if r.paramsDecide && r.q.RawQuery != "" {
		r.writeQuery()
	}
	if !r.hasBody() {
		return ""
	}

	if rule.verbatim {
		if r.isBodyRead() {
			r.doubtBody(doubtVerbatim)
			return UnreadableBody
		}
		return ""
	}
	if r.q.Upload != nil && !r.readForm() {
		return UnreadableBody
	}
	if !r.checkSOAPAction(rule) || !r.checkParameters() {
		return UnreadableBody
	}
	r.writeBody(rule, b)
	return ""
}

// checkParameters reports whether the parameters of the Content-Type can be sent with a body that is rewritten.
func (r *request) checkParameters() bool {
	if err := r.contentType.CheckWritable(); r.isBodyRead() && err != nil {
		return r.doubtError(err)
	}
	return true
}

// doubtVerbatim is about an action whose body is sent as it came, after another action has looked at it.
const doubtVerbatim = "the action sends it as it came, but an action before it in the adapter is decided by it"

func (r *request) isBodyRead() bool {
	return r.formState != unparsed || r.jsonState != unparsed || r.xmlState != unparsed || r.graphState != unparsed
}

// checkUnreadType is about the Content-Type of a body that no rule reads. Some frameworks decode the query by its
// charset.
func (r *request) checkUnreadType() ReasonKind {
	if r.q.NoBody || !r.paramsDecide || r.queryPairs == 0 || r.isBodyRead() && !r.contentType.KeepsLabel {
		return ""
	}
	if _, ok := r.mediaType(); !ok {
		return AmbiguousContentType
	}
	if r.contentType.Charset != body.CharsetASCII {
		return ""
	}
	for i := range r.params[:r.queryPairs] {
		if !isASCII(r.params[i].Name) || !isASCII(r.params[i].Value) {
			r.doubtBody("its charset is not UTF-8, and the query has characters beyond ASCII")
			return AmbiguousContentType
		}
	}
	return ""
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// writeQuery keeps the agent's own text if it is canonical already, which takes no memory.
func (r *request) writeQuery() {
	r.scratch = body.AppendQuery(r.scratch[:0], r.params[:r.queryPairs])
	r.out.RewritesQuery = true
	r.out.Query = r.q.RawQuery
	if string(r.scratch) != r.q.RawQuery {
		r.out.Query = string(r.scratch)
	}
}

// writeBody writes the body as the parser understood it that decided.
func (r *request) writeBody(rule *rule, b *bindings) {
	switch {
	case r.upload != nil:
		r.out.upload, r.out.adapter = r.upload, r.adapter
		if !r.upload.Whole {
			r.out.later = r.laterParts(rule, b)
		}
	case r.formState == parsed:
		r.out.Body = body.AppendForm(make([]byte, 0, len(r.q.Body)+len(r.q.Body)/8), r.form)
	case r.jsonState == parsed:
		r.out.Body = r.json.Bytes()
	case r.xmlState == parsed:
		r.out.Body = r.xml.Bytes()
	case r.graphState == parsed:
		r.out.Body = []byte(r.document)
	default:
		return
	}
	r.out.RewritesBody = true
	r.out.ContentType = r.contentType.Header("")
}

// laterParts returns what judges the parts of an upload that come after those that are known.
func (r *request) laterParts(rule *rule, b *bindings) *laterParts {
	return &laterParts{adapter: r.adapter, rules: r.rules, only: rule.only, bindings: *b, asked: r.askedFields()}
}

// askedFields are the fields that decide about a request whose head is like this one.
func (r *request) askedFields() []string {
	var asked []string
	if param := r.rules.override.Param; param != "" {
		asked = append(asked, param)
	}
	for _, rule := range r.rules.candidates(r.method, r.path) {
		var b bindings
		if rule.headDiffers(r, &b) {
			continue
		}
		for _, tests := range [][]valueTest{rule.form, rule.param} {
			for i := range tests {
				asked = append(asked, tests[i].key)
				for _, other := range r.rules.rivals[tests[i].key] {
					asked = append(asked, other.name)
				}
			}
		}
	}
	return asked
}

// laterParts judges parts of an upload of which the beginning has decided.
type laterParts struct {
	rules    *ruleSet
	only     *allowedNames
	bindings bindings
	asked    []string
	adapter  *Adapter
}

// accept returns an error for a part by which the request may be another action.
func (l *laterParts) accept(part *body.Part) error {
	r := request{rules: l.rules}
	switch {
	case slices.Contains(l.asked, part.Name):
		return errLateField
	case !r.isClearName(part.Name):
		return errLateField
	case l.only != nil && !l.only.allows(inOnlyForm, part.Name, &l.bindings):
		return errLateName
	case l.judge(part):
		return errLateCredential
	}
	return nil
}

// judge reports whether a part is a credential or would log in.
func (l *laterParts) judge(part *body.Part) bool {
	var out Outbound
	j := judge{adapter: l.adapter, out: &out, in: "body"}
	j.pair(part.Name, string(part.Value))
	if part.Kind == body.TypedField {
		l.adapter.partScanner(part, &out).write(part.Value, true)
	}
	return out.LoginField != "" || len(out.Credentials) > 0
}

var (
	errLateField      = &body.Error{Kind: body.LateField, Text: "a field that decides what this request does comes after a file that was already sent on, so the request was broken off: send the fields before the files"}
	errLateCredential = &body.Error{Kind: body.LateField, Text: "a part of the form after a file is a credential, so the request was broken off"}
	errLateName       = &body.Error{Kind: body.LateField, Text: "a part of the form has a name that the action does not list, so the request was broken off"}
)
