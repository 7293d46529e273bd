package adapters

import (
	"errors"
	"fmt"
	"slices"
)

// value is a template variable: what a step took, the one-time code, or a field of the secret. Fields of the secret
// are masked from then on, but those that name rather than prove.
func (d *Dialogue) value(name string) (string, error) {
	if v, ok := d.taken[name]; ok {
		return v, nil
	}
	if d.secret == nil {
		return "", fmt.Errorf("${%s} was not taken", name)
	}
	if name == "totp" {
		return d.oneTimeCode()
	}
	if v, ok := d.reveal(name); ok {
		return v, nil
	}
	return "", fmt.Errorf("the account's secret has no field %s", name)
}

// oneTimeCode is the same for every mention in one step.
func (d *Dialogue) oneTimeCode() (string, error) {
	if d.code != "" && d.codeAt == d.at {
		return d.code, nil
	}
	seed, ok := d.reveal("totp_seed")
	if !ok {
		return "", errors.New("the account's secret has no totp_seed")
	}
	var err error
	d.code, d.notBefore, err = oneTimeCode(seed, d.now(), spentCodes)
	d.codeAt = d.at
	return d.code, err
}

var plainFields = []string{"username", "user", "login", "email", "client_id", "tenant", "domain", "realm", "org", "organization"}

func (d *Dialogue) reveal(name string) (string, bool) {
	v, ok := d.secret.Reveal(name)
	if ok && !slices.Contains(plainFields, name) && !slices.Contains(d.session.secrets, v) {
		d.session.secrets = append(d.session.secrets, v)
	}
	return v, ok
}

// expand fills in a template. What a filter makes of a secret is a secret, too.
func (d *Dialogue) expand(text string) (string, error) {
	return expandNoting(text, d.value, func(name, filtered string) {
		if _, taken := d.taken[name]; !taken && d.secret != nil && !slices.Contains(plainFields, name) {
			d.session.secrets = append(d.session.secrets, filtered)
		}
	})
}
