package adapters

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// plainParts: body is parts in the one form that every reader takes alike (RFC 2046 section 5.1.1, RFC 7578): no text
// before the first delimiter or behind the last, delimiters and header lines that end in CR LF, no folded line, and the
// boundary nowhere else. The standard library's reader takes more, and so do applications, each in its own way.
func plainParts(body []byte, boundary string) bool {
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
		if !plainPartHead(part[:next]) {
			return false
		}
		rest = part[next+len(delimiter):]
	}
}

// plainPartHead looks at the lines up to the empty one.
func plainPartHead(part []byte) bool {
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

// readForm parses the body as a form, once. No body is an empty form.
func (r *reading) readForm() bool {
	if r.formState == 0 {
		r.formState = 2
		if r.parseForm() {
			r.formState = 1
		}
	}
	return r.formState == 1
}

func (r *reading) parseForm() (ok bool) {
	if r.q.Truncated || r.coded && len(r.q.Body) > 0 {
		return false // a later field of the same name would win in some applications
	}
	if len(r.q.Body) == 0 {
		return true
	}
	media, ok := r.mediaType()
	switch {
	case ok && media == "application/x-www-form-urlencoded":
		r.form, ok = r.x.parsePairs(nil, string(r.q.Body), r.x.semicolon)
		return ok
	case ok && media == "multipart/form-data":
		return r.parseMultipart()
	}
	return false
}

func (r *reading) parseMultipart() bool {
	_, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil || params["boundary"] == "" || !plainParts(r.q.Body, params["boundary"]) {
		return false
	}
	parts := multipart.NewReader(bytes.NewReader(r.q.Body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil || len(p.Header["Content-Disposition"]) != 1 || p.FormName() == "" {
			return false
		}
		if strings.Contains(p.Header.Get("Content-Disposition"), "*=") || p.Header.Get("Content-Transfer-Encoding") != "" {
			return false // RFC 2231 names and encodings are read by some and not by others
		}
		name := p.FormName()
		if !r.x.declared[name] {
			if r.x.mistakes(name) || len(r.form) == maxPairs {
				return false
			}
			r.form = append(r.form, pair{key: name})
			continue
		}
		text, err := io.ReadAll(p)
		if err != nil || len(r.form) == maxPairs {
			return false
		}
		r.form = append(r.form, pair{name, string(text)})
	}
}
