package adapters

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// readForm parses the body as a form, once. No body is an empty form.
func (r *request) readForm() bool { return r.formState.parse(r.parseForm) }

func (r *request) parseForm() bool {
	if !r.bodyReadable() {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}

	media, ok := r.mediaType()
	switch {
	case ok && media == "application/x-www-form-urlencoded":
		r.form, ok = r.parseParams(nil, string(r.q.Body), r.rules.semicolon)
		return ok
	case ok && media == "multipart/form-data":
		return r.parseMultipart()
	}
	return r.doubtBody(doubtMediaType)
}

func (r *request) parseMultipart() bool {
	_, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil || params["boundary"] == "" || !isPlainMultipart(r.q.Body, params["boundary"]) {
		return r.doubtBody(doubtSyntax)
	}

	parts := multipart.NewReader(bytes.NewReader(r.q.Body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil || !r.addPart(p) {
			if r.doubt.why == "" {
				r.doubtBody(doubtSyntax)
			}
			return false
		}
	}
}

// addPart adds a field of a multipart form, with its value if an action decides by the field.
func (r *request) addPart(p *multipart.Part) bool {
	disposition := p.Header["Content-Disposition"]
	name := p.FormName()
	if len(disposition) != 1 || name == "" || len(r.form) == maxParams {
		return false
	}
	if strings.Contains(disposition[0], "*=") || p.Header.Get("Content-Transfer-Encoding") != "" {
		return false // RFC 2231 names and encodings are read by some applications and not by others
	}

	if !r.rules.declared[name] {
		if r.rules.mayBeDeclared(name) {
			r.doubt = doubt{why: doubtName, name: name}
			return false
		}
		r.form = append(r.form, param{name: name})
		return true
	}

	content, err := io.ReadAll(p)
	if err != nil {
		return false
	}
	r.form = append(r.form, param{name, string(content)})
	return true
}

// isPlainMultipart reports whether a body is parts in the one form that every reader takes alike (RFC 2046 section
// 5.1.1, RFC 7578): no text before the first delimiter or after the last, delimiters and header lines that end in CR LF,
// no folded line, and the boundary nowhere else. The reader of the standard library takes more than that, and so do
// applications, each in its own way.
func isPlainMultipart(body []byte, boundary string) bool {
	delimiter := []byte("--" + boundary)
	if !bytes.HasPrefix(body, delimiter) {
		return false
	}

	for rest := body[len(delimiter):]; ; {
		if end, last := bytes.CutPrefix(rest, []byte("--")); last {
			return len(end) == 0 || string(end) == "\r\n"
		}
		part, ok := bytes.CutPrefix(rest, []byte("\r\n"))
		if !ok {
			return false
		}

		next := bytes.Index(part, delimiter)
		if next < 2 || string(part[next-2:next]) != "\r\n" {
			return false
		}
		if !isPlainPartHeader(part[:next]) {
			return false
		}
		rest = part[next+len(delimiter):]
	}
}

// isPlainPartHeader looks at the lines of a part up to the empty one.
func isPlainPartHeader(part []byte) bool {
	for {
		end := bytes.IndexAny(part, "\r\n")
		if end < 0 || !bytes.HasPrefix(part[end:], []byte("\r\n")) {
			return false
		}
		if end == 0 {
			return true
		}
		if part[0] == ' ' || part[0] == '\t' || bytes.IndexByte(part[:end], 0) >= 0 {
			return false
		}
		part = part[end+2:]
	}
}
