package adapters

import (
	"encoding/json"
	"slices"
	"strings"
)

// fieldUser is implemented by kinds that read fields of a secret which no template names.
type fieldUser interface {
	secretFields(*LoginSpec) []string
}

// SecretFields returns the names of the fields that the secret of an account needs for a login: those that name the account,
// then the others, sorted. totp_seed is among them if a template has ${totp}.
func (a *Adapter) SecretFields() []string {
	login := a.spec.Login
	known := newSecretTemplates(&login)
	text, err := json.Marshal(login)
	if err != nil {
		return nil
	}

	var fields []string
	add := func(name string) {
		if name == "totp" {
			name = "totp_seed"
		}
		if !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	templates := strings.ReplaceAll(string(text), "$${", "") // which writes a literal ${
	for _, m := range templateVariables.FindAllStringSubmatch(templates, -1) {
		_, isMade := known.made[m[1]]
		isTaken := known.taken[m[1]] && m[1] != "username"
		if !isMade && !isTaken {
			add(m[1])
		}
	}
	if kind, ok := kinds[login.Kind].Kind.(fieldUser); ok {
		for _, name := range kind.secretFields(&login) {
			add(name)
		}
	}

	slices.SortFunc(fields, func(a, b string) int {
		switch named := slices.Contains(namingFields, a); {
		case named == slices.Contains(namingFields, b):
			return strings.Compare(a, b)
		case named:
			return -1
		}
		return 1
	})
	return fields
}
