package adapters

import (
	"strings"
	"sync/atomic"
)

// Strip appends to dst the fields of in that may go on, in order. It returns the agent's cookies that
// may go on, which Put writes into the Cookie field, and every credential that it removed. It does
// not change in.
//
// A field goes on only if it is not a credential by its name (headers.strip and the built-in list,
// unless headers.pass lists it) and not one by its value (an HTTP credential such as Bearer or Basic,
// or a JWT). headers.strip wins over headers.pass, and headers.pass has no effect on Cookie. Without
// cookies and credentials Strip allocates nothing but what dst needs to grow.
func (a *Adapter) Strip(dst []Field, in []Field) (out []Field, agentCookies []Cookie, removed []Borrowed) {
	for i := range in {
		f := &in[i]
		switch a.treatmentOf(f.Name, f.Value) {
		case forward:
			dst = append(dst, *f)

		case cleanReferer:
			value, more := a.stripReferer(f.Value)
			dst = append(dst, Field{Name: f.Name, Value: value})
			removed = append(removed, more...)

		case cleanSubprotocols:
			value, more := stripSubprotocols(f.Value)
			if value != "" {
				dst = append(dst, Field{Name: f.Name, Value: value})
			}
			removed = append(removed, more...)

		case splitCookies:
			agentCookies, removed = a.splitCookies(agentCookies, removed, f.Value)

		default:
			removed = append(removed, Borrowed{In: "header", Name: f.Name, Value: NewSecret(f.Value), Session: a.isKnownCredential(f)})
		}
	}
	return dst, agentCookies, removed
}

// treatment is what happens to a header field.
type treatment uint8

const (
	forward           treatment = iota // it goes on as it is
	withhold                           // it is, or may be, a credential
	splitCookies                       // each cookie in it is decided on its own
	cleanReferer                       // it goes on without the credentials in its URL
	cleanSubprotocols                  // it goes on without the credentials among its items
	decideByValue                      // its name does not decide; only treatmentOfName returns this
)

// treatmentOf decides on a request field by its name and, if need be, its value.
func (a *Adapter) treatmentOf(name, value string) treatment {
	t := a.requestNames.lookUp(name, a.treatmentOfName)
	if t != decideByValue {
		return t
	}

	if carriesCredential(value) {
		return withhold
	}
	return forward
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
