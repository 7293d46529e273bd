package adapters

import (
	"maps"
	"slices"
)

// Kind is how an account's secret becomes a session. A kind is one file, kind_NAME.go, which registers it; nothing
// outside that file names it. Every kind ends in plain values: headers, cookies, parameters, members of a JSON body.
type Kind interface {
	// Check reports what is wrong with login, beyond what holds for every kind. It is called when an adapter is
	// loaded, also for those of the library, and may be called for a file that has other problems.
	Check(d *draft)

	// Next is given the answer to its last request, nil at first, and returns the next request. It returns nil once
	// the session of d is complete. It may be called from one goroutine at a time, and holds no state: d does.
	Next(d *Dialogue, last *Reply) (*Step, error)
}

// loginKind is a kind as its file registers it.
type loginKind struct {
	name    string // the value of login.kind
	summary string // a few words for the reference
	members bool   // sessions may have members in JSON bodies: login.json
	Kind
}

// kinds are all kinds by name. It does not change once the package is initialised.
var kinds = map[string]loginKind{}

// registerKind adds a kind. It is called by init functions and panics when the name is taken.
func registerKind(k loginKind) {
	if _, taken := kinds[k.name]; taken {
		panic("adapters: two login kinds are called " + k.name)
	}
	kinds[k.name] = k
}

func kindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

// kindsWithMembers are the names of the kinds for which login.json may be given.
func kindsWithMembers() (names []string) {
	for _, name := range kindNames() {
		if kinds[name].members {
			names = append(names, name)
		}
	}
	return names
}
