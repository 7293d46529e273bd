package adapters

import "cmp"

func init() {
	registerKind(loginKind{name: "bearer", summary: "RFC 6750", Kind: bearerKind{}})
}

// bearerKind sends a token of the secret with every request, as RFC 6750 section 2.1 describes. It
// sends no request to log in.
type bearerKind struct{}

// Check implements [Kind].
func (bearerKind) Check(*draft) {}

// Next implements [Kind].
func (bearerKind) Next(d *Dialogue, _ *Reply) (*Step, error) {
	return nil, d.addHeader("Authorization", cmp.Or(d.a.spec.Login.Value, "Bearer ${token}"))
}

func (bearerKind) secretFields(l *LoginSpec) []string {
	if l.Value != "" {
		return nil
	}
	return []string{"token"}
}
