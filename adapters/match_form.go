package adapters

import (
	"bytes"
	"math"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// readForm parses the body as a form, once. No body is an empty form.
func (r *request) readForm() bool { return r.formState.parse(r.parseForm) }

func (r *request) parseForm() bool {
	if !r.bodyReadable() {
		return false
	}
	if !r.hasBody() {
		return true
	}

	media, ok := r.mediaType()
	switch {
	case !ok:
		return false
	case media == body.FormType:
		r.form, ok = r.parseParams(nil, string(r.q.Body), r.contentType.Charset)
		return ok && r.keepLabel()
	case media == body.MultipartType:
		return r.parseMultipart()
	}
	return r.doubtBody(doubtMediaType)
}

// doubtLabel is about a name in a charset that is not UTF-8.
const doubtLabel = "a name in the form has characters beyond ASCII, in a charset that is not UTF-8"

// keepLabel makes a form whose charset agrees with UTF-8 on ASCII alone, and which has escapes beyond ASCII, go out under
// its charset. What such an escape means only the application knows: formValue lets no value of that kind decide.
func (r *request) keepLabel() bool {
	if r.contentType.Charset != body.CharsetASCII {
		return true
	}
	for i := range r.form {
		if !isASCII(r.form[i].Name) {
			return r.doubtBody(doubtLabel)
		}
		r.contentType.KeepsLabel = r.contentType.KeepsLabel || !isASCII(r.form[i].Value)
	}
	return true
}

// parseMultipart reads the form that the caller has begun to read, or a body that is held as a whole.
func (r *request) parseMultipart() bool {
	if r.q.Upload != nil {
		r.upload = r.q.Upload.form
	} else {
		var err error
		options := body.MultipartOptions{MaxHeld: math.MaxInt64}
		r.upload, err = body.ReadUpload(bytes.NewReader(r.q.Body), r.contentType, options, math.MaxInt64)
		if err != nil {
			return r.doubtError(err)
		}
	}

	for i := range r.upload.Parts {
		part := &r.upload.Parts[i]
		if !r.isClearName(part.Name) {
			return false
		}
		if part.Kind == body.Field {
			r.form = append(r.form, body.Pair{Name: part.Name, Value: string(part.Value)})
		} else {
			r.files = append(r.files, part.Name)
		}
	}
	return true
}
