package adapters

import (
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// treatmentOfName decides on a request field by its name alone. A name that neither the adapter nor allowedFields lists
// is held: applications have endless names for credentials and for people.
func (a *Adapter) treatmentOfName(name string) treatment {
	var buf [64]byte
	lower := string(text.AppendFolded(buf[:0], name))
	switch {
	case lower == "cookie":
		return splitCookies
	case text.ContainsName(a.spec.Headers.Strip, name), strings.HasPrefix(lower, "proxy-auth"), a.setsHeader(name):
		return withhold
	case (rereadingFields[lower] || isOverride(lower)) && !a.decidesBy(name):
		return withhold
	case signatureFields[lower]:
		if a.passesSignatures() {
			return forwardSigned
		}
		return withhold
	case text.ContainsName(a.spec.Headers.Pass, name), text.SameName(a.spec.MethodOverride.Header, name):
		return forward
	case lower == "referer":
		return cleanReferer
	case destinationFields[lower]:
		return cleanDestination
	case lower == "sec-websocket-protocol":
		return cleanSubprotocols
	case lower == "sec-websocket-extensions":
		return leaveOut
	case allowedFields[lower]:
		return decideByValue
	case allowedValues[lower] != nil:
		return decideByList
	}
	return withhold
}

// mayForward reports whether a field may go on with some value.
func (a *Adapter) mayForward(name string) bool {
	t := a.treatmentOf(name, "")
	return t == forward || t == forwardSigned || t == cleanDestination || t == cleanReferer
}

// passesSignatures reports whether the fields of a signature go on. They go together: headers.strip with one of them
// strips all, and headers.pass with one of them passes all.
func (a *Adapter) passesSignatures() bool {
	isOne := func(name string) bool { return signatureFields[strings.ToLower(name)] }
	return slices.ContainsFunc(a.spec.Headers.Pass, isOne) && !slices.ContainsFunc(a.spec.Headers.Strip, isOne)
}

// hasAllowedValue reports whether a field that allowedValues lists has one of its values.
func hasAllowedValue(name, value string) bool {
	values := allowedValues[string(text.AppendFolded(nil, name))]
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, strings.Trim(value, " \t")) })
}

// isHeld reports whether a field that was removed is held because nothing names it, rather than because it is a
// credential.
func (a *Adapter) isHeld(f *Field) bool {
	return !a.isKnownCredential(f) && !text.ContainsName(a.spec.Headers.Strip, f.Name) && !namesCredential(f.Name)
}

// isKnownCredential reports whether a removed field is certainly a credential: by its value, because
// the session sets the same field, or because the adapter lists a name that is like a credential's.
func (a *Adapter) isKnownCredential(f *Field) bool {
	return carriesCredential(f.Name, f.Value) || a.setsHeader(f.Name) ||
		text.ContainsName(a.spec.Headers.Strip, f.Name) && namesCredential(f.Name)
}

// setsHeader reports whether sessions of the adapter set a header, or a step of the login puts a secret into it. Agents
// may not send it.
func (a *Adapter) setsHeader(name string) bool {
	if text.ContainsName(a.loginHeaders, name) {
		return true
	}
	if a.spec.Login.Header != "" && text.SameName(a.spec.Login.Header, name) {
		return true
	}
	for set := range a.spec.Login.Headers {
		if text.SameName(set, name) {
			return true
		}
	}
	return false
}

// namesCredential reports whether a field, or an item of Sec-WebSocket-Protocol, has the name of a credential.
func namesCredential(name string) bool { return credential.Field(name).IsCredential() }

// decidesBy reports whether the adapter says what a field means: the field for another method, or one that some action is
// decided by.
func (a *Adapter) decidesBy(name string) bool {
	if text.SameName(a.spec.MethodOverride.Header, name) {
		return true
	}
	if isMethodOverride(name) {
		return false
	}
	for i := range a.spec.Actions {
		for field := range a.spec.Actions[i].Match.Header {
			if text.SameName(field, name) {
				return true
			}
		}
	}
	return false
}

// isMethodOverride reports whether frameworks take the method from a field.
func isMethodOverride(name string) bool {
	return strings.Contains(strings.ToLower(name), "method")
}

// carriesCredential reports whether the value of a field is a credential.
func carriesCredential(name, value string) bool {
	if credential.FieldPair(name, value).IsCredential() {
		return true
	}
	if len(value) <= len(sessionParam) {
		return false
	}
	_, inPath := StripPath(value)
	return len(inPath) > 0
}
