package proxy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// peek reads the body if the adapter needs it to classify the request: a multipart
// form into x.upload, any other body into x.body.
func (x *exchange) peek() error {
	if x.in.Body == nil {
		x.bodyComplete = true
		return nil
	}
	if x.bodyUse() != adapters.BodyRead {
		if x.isHeldToJudge() {
			return x.peekWhole()
		}
		return nil
	}

	coding := wire.Value(x.in.Fields, "Content-Encoding")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(AmbiguousRequest, "what this request does is said in its body, which is in the coding %q. Send it without Content-Encoding.", coding)
	}
	if adapters.IsUpload(x.in.Fields) {
		return x.peekUpload()
	}
	return x.peekWhole()
}

// bodyUse returns what becomes of the body, which the adapter is asked only once.
func (x *exchange) bodyUse() adapters.BodyUse {
	if !x.bodyUseKnown {
		x.use, x.bodyUseKnown = x.adapter.BodyUse(x.query()), true
	}
	return x.use
}

// maxJudgedAtOnce is the length of the longest body that is held to be judged before
// anything of the request leaves. Most requests that log somebody in are shorter. A
// longer body, and one of unknown length, which the agent may end only after it got
// some answer, is judged while it is sent.
const maxJudgedAtOnce = 64 << 10

// isHeldToJudge reports whether the body is held although no action is decided by it.
func (x *exchange) isHeldToJudge() bool {
	return x.use == adapters.BodyJudged && x.in.Length > 0 && x.in.Length <= min(maxJudgedAtOnce, x.maxReadBody()) && !x.in.ExpectContinue
}

// maxReadBody bounds how many bytes of a body are held in order to classify the
// request by its content.
func (x *exchange) maxReadBody() int64 { return int64(x.server.opt.Wire.MaxReadBody) }

// peekWhole reads a body that is no multipart form. Of a longer body than
// maxReadBody nothing is kept.
func (x *exchange) peekWhole() error {
	length, limit := x.in.Length, x.maxReadBody()
	if length > limit {
		x.body = []byte{}
		return nil
	}

	var err error
	x.body, err = readUpTo(x.in.Body, length, limit)
	if err != nil {
		return x.unreadBody(err)
	}
	if int64(len(x.body)) < length {
		return refuse(AmbiguousRequest, "the body is shorter than its Content-Length. Send it whole.")
	}
	x.bodyComplete = int64(len(x.body)) <= limit
	return nil
}

// readUpTo reads a body of the given length. If the length is unknown (-1) it
// reads at most one byte more than limit. Memory grows with the bytes that the
// agent sends, not with the length that it announces. A body that ends early is
// not an error here: the caller compares lengths.
func readUpTo(body io.Reader, length, limit int64) ([]byte, error) {
	if length < 0 {
		length = limit + 1
	}

	buf := bytes.NewBuffer(make([]byte, 0, min(length, 64<<10)+bytes.MinRead))
	_, err := buf.ReadFrom(io.LimitReader(body, length))
	if err == io.ErrUnexpectedEOF {
		err = nil
	}
	return buf.Bytes(), err
}

// maxFilesInMemory bounds how many bytes of the files of one form are held in
// memory so that the fields after them are known.
const maxFilesInMemory = 256 << 10

// peekUpload reads a multipart form: the fields, and of the files as much as is
// needed to know the fields that decide. Fields that come after a large file are
// waited for only if they may decide; the file is on disk meanwhile.
func (x *exchange) peekUpload() error {
	var err error
	x.upload, err = adapters.ReadUpload(x.in.Body, x.in.Fields, adapters.UploadOptions{
		MaxFields: x.maxReadBody(),
		MaxFiles:  maxFilesInMemory,
		Reserve: func(n int) error { // holdMemory has taken as much as the bounds allow
			x.heldOfUpload += int64(n)
			return nil
		},
	})
	if err != nil {
		return x.unreadBody(err)
	}

	if x.adapter.NeedsRest(x.queryWithBody()) {
		x.spool, err = x.server.openSpool(x.tunnel.task)
		if err != nil {
			return x.spoolFailed(err)
		}
		err = x.upload.Spool(x.spool, x.server.opt.Wire.MaxSpooledFiles)
		if _, failed := errors.AsType[*fs.PathError](err); failed || errors.Is(err, errSpoolFull) {
			return x.spoolFailed(err)
		}
		if err != nil {
			return x.unreadBody(err)
		}
	}
	x.bodyComplete = x.upload.IsWhole()
	return nil
}

// spoolFailed returns the refusal for an upload whose files cannot be kept on disk.
func (x *exchange) spoolFailed(err error) *Refusal {
	r := refuse(OverBudget, "the files of this form cannot be kept on disk until its fields are known: this task, or all tasks together, keep as many as they may, "+
		"or the disk is almost full. Send the fields before the files, or send fewer forms at once. The operator sets the limit (wire.max_spooled_files).").because(err)
	r.Retry = 10
	return r
}

// unreadBody returns the refusal for a body that broke off, is too large, or can
// be read in two ways.
func (x *exchange) unreadBody(err error) *Refusal {
	if m := bodyMalformed(err); m != nil {
		if m.Code == wire.CodeTooLarge {
			return x.bodyTooLarge()
		}
		return refuse(AmbiguousRequest, "%s.", m.Detail)
	}
	if m := wire.BodyFault(err); m != nil {
		return refuseMalformed(m).because(err)
	}
	return refuse(AmbiguousRequest, "the body broke off before the action could be named. Send it whole.").because(err)
}

// bodyMalformed returns what is wrong with a body that package adapters could not
// read, or nil if err is another error.
func bodyMalformed(err error) *wire.Malformed {
	bad, ok := errors.AsType[*adapters.BodyError](err)
	switch {
	case !ok:
		return nil
	case adapters.IsTooLarge(err):
		return wire.TooLarge(http.StatusRequestEntityTooLarge, bad.Text)
	}
	return wire.Ambiguous(bad.Text)
}

// bodyTooLarge returns the refusal for a body of which more would have to be held
// than the configuration allows.
func (x *exchange) bodyTooLarge() *Refusal {
	r := refuse(TooLarge, "the adapter %s names what %s %s does by its body, of which at most %d bytes are read (wire.max_read_body; the files of a form do not count, "+
		"but those before a field that decides may have at most %d bytes, wire.max_spooled_files). Send less at once, send the fields before the files, or ask the operator for more.",
		x.adapter.Name(), x.in.Method, x.in.Path, x.maxReadBody(), x.server.opt.Wire.MaxSpooledFiles)
	r.Status = http.StatusRequestEntityTooLarge
	return r
}
