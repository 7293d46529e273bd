package adapters

import (
	"maps"
	"slices"
)

// Kind is how an account's secret becomes a session. A kind is one file, kind_NAME.go, which
// registers it; no other file names it. Whatever the kind, a session is plain values: header fields,
// cookies, parameters of the query, members of a JSON body.
type Kind interface {
	// Check reports what is wrong with login, beyond what holds for every kind. It is called when
	// an adapter is loaded, including those of the library, and may be called for a file that has
	// other problems.
	Check(d *draft)

	// Next returns the next request of a login, or nil once the session of d is complete. last is
	// the answer to the request before, and nil at first. A Kind holds no state, d does: one Kind
	// serves all dialogues at once, each from one goroutine at a time.
	Next(d *Dialogue, last *Reply) (*Step, error)
}

// loginKind is a kind as its file registers it.
type loginKind struct {
	name    string // the value of login.kind
	summary string // a few words for the reference
	members bool   // login.json may be given: sessions may have members in JSON bodies
	Kind
}

// kinds are all kinds by name. The map does not change once the package is initialized.
var kinds = map[string]loginKind{}

// registerKind adds a kind. It is called by init functions and panics if the name is taken.
func registerKind(k loginKind) {
	if _, taken := kinds[k.name]; taken {
		panic("adapters: two login kinds are named " + k.name)
	}
	kinds[k.name] = k
}

// kindNames returns the names of all kinds, sorted.
func kindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

// kindsWithMembers returns the names of the kinds for which login.json may be given, sorted.
func kindsWithMembers() []string {
	var names []string
	for _, name := range kindNames() {
		if kinds[name].members {
			names = append(names, name)
		}
	}
	return names
}
