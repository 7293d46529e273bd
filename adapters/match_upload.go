package adapters

import (
	"errors"
	"io"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// BodyError says why a body was not understood. Its text is for the agent and holds nothing of the body.
type BodyError = body.Error

// IsTooLarge reports whether err says that more would have to be held than is allowed.
func IsTooLarge(err error) bool { return body.KindOf(err) == body.TooLarge }

// IsUpload reports whether a request has a multipart form, which is to be read by ReadUpload.
func IsUpload(fields []Field) bool {
	r := request{q: Query{Fields: fields}}
	media, ok := r.mediaType()
	return ok && media == body.MultipartType
}

// Upload is a multipart form that has been read up to the first file that is too large to be held. It is not safe for
// concurrent use.
type Upload struct {
	form *body.Upload
}

// UploadOptions bounds an Upload.
type UploadOptions struct {
	MaxFields int64 // bytes of names and fields together
	MaxFiles  int64 // bytes of files that are held in memory

	// Reserve, if not nil, is called before n more bytes are held. Its error ends the reading.
	Reserve func(n int) error
}

// ReadUpload begins to read a multipart form. Errors about the form are of type *BodyError; other errors are those of
// src and of Reserve.
func ReadUpload(src io.Reader, fields []Field, o UploadOptions) (*Upload, error) {
	r := request{q: Query{Fields: fields}}
	if media, ok := r.mediaType(); !ok || media != body.MultipartType {
		return nil, errors.New("not a multipart form")
	}

	options := body.MultipartOptions{MaxHeld: o.MaxFields, Reserve: o.Reserve}
	form, err := body.ReadUpload(src, r.contentType, options, o.MaxFiles)
	if err != nil {
		return nil, err
	}
	return &Upload{form}, nil
}

// IsWhole reports whether all parts are known. Only then can the form be sent a second time.
func (u *Upload) IsWhole() bool { return u.form.Whole }

// Spool reads the rest of the form. It writes the files to f, at most limit bytes, and reads them from there when the
// form is sent.
func (u *Upload) Spool(f body.SpoolFile, limit int64) error { return u.form.Spool(f, limit) }

// NeedsRest reports whether the fields after those of q.Upload may decide the action, so that the caller calls Spool
// before it calls Read. If it is false, Read decides by the fields that are known, and Outbound.OpenUpload breaks the
// request off if a later part would change that.
func (a *Adapter) NeedsRest(q Query) bool {
	if q.Upload == nil || q.Upload.form.Whole {
		return false
	}
	r := requests.Get().(*request)
	defer r.release()
	if kind := r.init(a.rules, q); kind != "" {
		return false
	}
	if !q.Upload.form.CanStream() {
		return true
	}
	if param := a.rules.override.Param; param != "" && q.Method == "POST" && !q.Upload.has(param) {
		return true
	}
	if v, _ := r.overrideMethod(); v != matches {
		return false
	}
	return r.restDecides(q.Upload)
}

// restDecides goes through the rules as Classify does.
func (r *request) restDecides(u *Upload) bool {
	narrow := false // the only of a rule may exclude the request because of a later part
	for _, rule := range r.rules.candidates(r.method, r.path) {
		var b bindings
		if rule.headDiffers(r, &b) {
			continue
		}
		if narrow {
			return true
		}

		for _, tests := range [][]valueTest{rule.form, rule.param} {
			for i := range tests {
				if !rule.names.Login && !u.has(tests[i].key) {
					return true
				}
			}
		}
		switch rule.match(r, &b).verdict {
		case unsure, needsBody:
			return false
		case matches:
			if rule.only == nil {
				return false
			}
			narrow = true
		}
	}
	return false
}

// has reports whether a part of that name is known.
func (u *Upload) has(name string) bool {
	for i := range u.form.Parts {
		if u.form.Parts[i].Name == name {
			return true
		}
	}
	return false
}
