package adapters

import (
	"encoding/base64"
	"errors"
	"strings"
)

// basicKind is RFC 7617: no request, one header.
type basicKind struct{}

func (basicKind) Next(d *Dialogue, _ *Reply) (*Step, error) {
	user, err := d.value("username")
	if err != nil {
		return nil, err
	}
	password, err := d.value("password")
	if err != nil {
		return nil, err
	}
	if strings.Contains(user, ":") {
		return nil, errors.New("the user name has a colon, which RFC 7617 does not allow")
	}
	value := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	d.session.headers = append(d.session.headers, Field{Name: "Authorization", Value: value})
	return nil, nil
}
