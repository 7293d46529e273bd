package adapters

import (
	"errors"
	"strings"
)

func init() {
	registerKind(loginKind{name: "basic", summary: "RFC 7617", Kind: basicKind{}})
}

// basicKind sends the user name and the password with every request (RFC 7617). It sends no request
// to log in.
type basicKind struct{}

// Check implements [Kind].
func (basicKind) Check(*draft) {}

// Next implements [Kind].
func (basicKind) Next(d *Dialogue, _ *Reply) (*Step, error) {
	user, password, err := d.userAndPassword()
	if err != nil {
		return nil, err
	}
	if strings.Contains(user, ":") {
		return nil, errors.New("the user name has a colon, which RFC 7617 does not allow")
	}

	d.session.headers = append(d.session.headers, basicAuthorization(user, password))
	return nil, nil
}

func (basicKind) secretFields(*LoginSpec) []string { return []string{"username", "password"} }
