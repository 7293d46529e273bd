package adapters

import (
	"errors"
	"fmt"
	"slices"
)

// namingFields are the fields of a secret that say whose account it is and prove nothing. They are
// not masked, because pages show them everywhere.
var namingFields = []string{"username", "user", "login", "email", "client_id", "tenant", "domain", "realm", "org", "organization"}

// expandTemplate expands a template. It masks what a filter makes of a secret, as the secret itself
// is masked.
func (d *Dialogue) expandTemplate(template string) (string, error) {
	return expandTemplateNoting(template, d.lookUpVariable, func(name, filtered string) {
		_, taken := d.taken[name]
		if !taken && d.secret != nil && !slices.Contains(namingFields, name) {
			d.addProof(filtered)
		}
	})
}

// lookUpVariable returns the value of a template variable: what a step took, the one-time code, or a
// field of the secret. The error does not hold a value.
func (d *Dialogue) lookUpVariable(name string) (string, error) {
	if v, ok := d.taken[name]; ok {
		return v, nil
	}
	if d.secret == nil {
		if name == "username" && d.session.username != "" {
			return d.session.username, nil
		}
		return "", fmt.Errorf("${%s} was not taken", name)
	}
	if name == "totp" {
		return d.oneTimeCode()
	}
	if v, ok := d.revealField(name); ok {
		return v, nil
	}
	return "", fmt.Errorf("the account's secret has no field %s", name)
}

// revealField returns a field of the secret, and masks it from then on unless it is one of
// namingFields.
func (d *Dialogue) revealField(name string) (string, bool) {
	v, ok := d.secret.Reveal(name)
	d.proves = d.proves || ok && !slices.Contains(namingFields, name)
	if ok && !slices.Contains(namingFields, name) && !slices.Contains(d.session.proofs, v) {
		d.addProof(v)
	}
	return v, ok
}

// maskUnusedFields masks the fields of the secret that no template of the login names. They are the account's all the
// same: applications show the key of a one-time code also while they do not ask for a code.
func (d *Dialogue) maskUnusedFields() {
	for _, name := range d.secret.Fields() {
		v, ok := d.secret.Reveal(name)
		if ok && v != "" && v != d.session.username && !slices.Contains(namingFields, name) {
			d.session.secrets = append(d.session.secrets, v)
		}
	}
}

// addProof masks what proves who the account is.
func (d *Dialogue) addProof(v string) {
	d.session.secrets = append(d.session.secrets, v)
	d.session.proofs = append(d.session.proofs, v)
}

// oneTimeCode returns the one-time code of the current step. All templates of one step get the same
// code.
func (d *Dialogue) oneTimeCode() (string, error) {
	if d.code != "" && d.codeAt == d.at {
		return d.code, nil
	}

	seed, ok := d.revealField("totp_seed")
	if !ok {
		return "", errors.New("the account's secret has no totp_seed")
	}
	var err error
	d.code, d.notBefore, err = generateTOTP(seed, d.now(), d.reserve)
	d.codeAt = d.at
	return d.code, err
}

// userAndPassword returns the user name and the password of the secret.
func (d *Dialogue) userAndPassword() (user, password string, err error) {
	user, err = d.lookUpVariable("username")
	if err != nil {
		return "", "", err
	}
	password, err = d.lookUpVariable("password")
	return user, password, err
}
