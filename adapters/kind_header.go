package adapters

import "github.com/byline-proxy/byline/adapters/internal/text"

func init() {
	registerKind(loginKind{name: "header", summary: "one header from the secret", Kind: headerKind{}})
}

// headerKind sets one header of every request from the secret. It sends no request to log in.
type headerKind struct{}

// Check implements [Kind].
func (headerKind) Check(d *draft) {
	l := &d.spec.Login
	if !text.IsToken(l.Header) || l.Value == "" {
		d.at("login", "header: X-Auth-Token, value: \"${token}\"", "login kind \"header\" needs header and value")
	}
}

// Next implements [Kind].
func (headerKind) Next(d *Dialogue, _ *Reply) (*Step, error) {
	l := &d.a.spec.Login
	return nil, d.addHeader(l.Header, l.Value)
}
