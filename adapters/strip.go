package adapters

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Strip appends to dst the fields of in that may go on, in order. It returns the agent's cookies that
// may go on, which Put writes into the Cookie field, and every credential that it removed. It does
// not change in.
//
// A field goes on only if headers.pass names it, or if the built-in list does (allowedFields) and its
// value is not a credential. Every other field is removed. headers.strip wins over headers.pass, and
// headers.pass has no effect on Cookie. Without cookies and credentials Strip allocates nothing but
// what dst needs to grow.
func (a *Adapter) Strip(dst []Field, in []Field) (out []Field, agentCookies []Cookie, removed []Borrowed) {
	signed := false
	for i := range in {
		f := &in[i]
		switch a.treatmentOf(f.Name, f.Value) {
		case forward:
			dst = append(dst, *f)

		case forwardSigned:
			dst = append(dst, *f)
			signed = true

		case cleanReferer:
			value, more := a.stripReferer(f.Name, f.Value)
			if value != "" {
				dst = append(dst, Field{Name: f.Name, Value: value})
			}
			removed = append(removed, more...)

		case cleanDestination:
			value, more := a.stripDestination(f.Name, f.Value)
			if value != "" {
				dst = append(dst, Field{Name: f.Name, Value: value})
			}
			removed = append(removed, more...)
		case cleanSubprotocols:
			value, more := a.stripSubprotocols(f.Value)
			if value != "" {
				dst = append(dst, Field{Name: f.Name, Value: value})
			}
			removed = append(removed, more...)

		case leaveOut:
			// It would negotiate what Byline does not read.

		case splitCookies:
			agentCookies, removed = a.splitCookies(agentCookies, removed, f.Value)

		default:
			removed = append(removed, a.removedField(f))
		}
	}

	if signed {
		dst, removed = a.keepWholeSignature(dst, removed)
	}
	return dst, agentCookies, removed
}

// StripTrailers is Strip for the fields that follow a body. Of those that headers.pass does not name
// only digests go on.
func (a *Adapter) StripTrailers(in []Field) (out []Field, removed []Borrowed) {
	for i := range in {
		f := &in[i]
		isNamed := a.requestNames.lookUp(f.Name, a.treatmentOfName) == forward
		isAllowed := allowedTrailers[string(text.AppendFolded(nil, f.Name))] && a.treatmentOf(f.Name, f.Value) == forward
		if isNamed || isAllowed {
			out = append(out, *f)
			continue
		}
		removed = append(removed, a.removedField(f))
	}
	for i := range removed {
		removed[i].In = "trailer"
	}
	return out, removed
}

// removedField is a field that does not go on.
func (a *Adapter) removedField(f *Field) Borrowed {
	return Borrowed{In: "header", Name: nameForRecord(f.Name), Value: NewSecret(f.Value), Session: a.isKnownCredential(f), Held: a.isHeld(f)}
}

// keepWholeSignature removes the fields of a signature from dst unless both Signature and Signature-Input
// are there.
func (a *Adapter) keepWholeSignature(dst []Field, removed []Borrowed) ([]Field, []Borrowed) {
	has := func(name string) bool {
		return slices.ContainsFunc(dst, func(f Field) bool { return text.SameName(f.Name, name) })
	}
	if has("Signature") && has("Signature-Input") {
		return dst, removed
	}

	kept := dst[:0]
	for i := range dst {
		if f := dst[i]; signatureFields[string(text.AppendFolded(nil, f.Name))] {
			removed = append(removed, a.removedField(&f))
		} else {
			kept = append(kept, f)
		}
	}
	return kept, removed
}

// treatment is what happens to a header field.
type treatment uint8

const (
	forward           treatment = iota // it goes on as it is
	forwardSigned                      // it goes on with the other fields of a signature
	withhold                           // it is a credential, or nothing says that it is harmless
	splitCookies                       // each cookie in it is decided on its own
	cleanReferer                       // it goes on without the credentials in its URL
	cleanDestination                   // it goes on as a path of the application without credentials, or not at all
	cleanSubprotocols                  // it goes on with the names of protocols among its items
	leaveOut                           // it does not go on, and is no credential
	decideByValue                      // it goes on unless its value is a credential
	decideByList                       // it goes on with a value of allowedValues
)

// treatmentOf decides on a request field by its name and, if need be, its value.
func (a *Adapter) treatmentOf(name, value string) treatment {
	t := a.requestNames.lookUp(name, a.treatmentOfName)
	isAllowed := false
	switch t {
	case decideByValue:
		isAllowed = !carriesCredential(name, value)
	case decideByList:
		isAllowed = hasAllowedValue(name, value)
	default:
		return t
	}

	if isAllowed {
		return forward
	}
	return withhold
}

// treatmentCache keeps the treatments of the names that came last, so that a name is not searched for
// the words of credentials on every request. Its size is fixed, because agents choose the names. The
// zero value is empty. It is safe for concurrent use.
type treatmentCache [128]atomic.Pointer[namedTreatment]

type namedTreatment struct {
	name      string
	treatment treatment
}

// maxCachedName is the length of the longest name that is kept, in bytes.
const maxCachedName = 64

// lookUp returns the treatment of a name, from the cache or from decide.
func (c *treatmentCache) lookUp(name string, decide func(string) treatment) treatment {
	if name == "" {
		return decide(name)
	}

	hash := len(name)*31 + int(name[0])*7 + int(name[len(name)/2])*3 + int(name[len(name)-1])
	slot := &c[hash%len(c)]
	if known := slot.Load(); known != nil && known.name == name {
		return known.treatment
	}

	t := decide(name)
	if len(name) <= maxCachedName {
		slot.Store(&namedTreatment{strings.Clone(name), t}) // a clone, because name keeps a whole head in memory
	}
	return t
}
