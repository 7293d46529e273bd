package adapters

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// completeSession adds to the session what login.headers, login.query and login.json say, once the
// steps of a login are done. It does nothing in a logout.
func (d *Dialogue) completeSession() error {
	if d.secret == nil {
		return nil
	}

	headers := d.a.spec.Login.Headers
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if err := d.addHeader(name, headers[name]); err != nil {
			return err
		}
	}
	return d.addParams()
}

// addHeader adds a header field to the session, whose value is a template.
func (d *Dialogue) addHeader(name, template string) error {
	v, err := d.expandHeader(name, template)
	if err != nil {
		return err
	}
	d.session.headers = append(d.session.headers, Field{Name: name, Value: v})
	return nil
}

// expandHeader expands the template of a header's value. The error names the header and holds no
// value.
func (d *Dialogue) expandHeader(name, template string) (string, error) {
	v, err := d.expandTemplate(template)
	if err != nil {
		return "", fmt.Errorf("header %s: %w", name, err)
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return "", fmt.Errorf("header %s: its value has a line break or a NUL", name)
	}
	return v, nil
}

// addParams adds to the session the parameters of login.query and the members of login.json.
func (d *Dialogue) addParams() error {
	query := d.a.spec.Login.Query
	for _, name := range slices.Sorted(maps.Keys(query)) {
		v, err := d.expandTemplate(query[name])
		if err != nil {
			return fmt.Errorf("query %s: %w", name, err)
		}
		d.session.query = append(d.session.query, Field{Name: name, Value: v})
	}

	members := d.a.spec.Login.JSON
	for _, pointer := range slices.Sorted(maps.Keys(members)) {
		v, err := d.expandTemplate(members[pointer])
		if err != nil {
			return fmt.Errorf("json %s: %w", pointer, err)
		}
		d.session.members = append(d.session.members, Field{Name: pointer, Value: v})
	}
	return nil
}

// basicAuthorization returns the Authorization field of RFC 7617.
func basicAuthorization(user, password string) Field {
	credentials := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return Field{Name: "Authorization", Value: "Basic " + credentials}
}
