package adapters

// Kind is how a secret becomes a session. Next is given the answer to its last request (nil at first) and gives the
// next one; nil: the dialogue's session is complete. Every kind ends in plain headers and cookies.
type Kind interface {
	Next(d *Dialogue, last *Reply) (*Step, error)
}

// kinds are all there are; the key is login.kind.
var kinds = map[string]Kind{
	"form":   formKind{},
	"json":   jsonKind{},
	"basic":  basicKind{},
	"digest": digestKind{},
	"header": headerKind{},
	"bearer": headerKind{},
	"query":  queryKind{},
	"oauth2": oauth2Kind{},
}
