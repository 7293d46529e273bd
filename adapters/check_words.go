package adapters

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// managementWords are those in the paths, names and values of requests by which people and their rights are managed: a hint
// for the author, who knows what the request does. The plural of a word counts as well.
var managementWords = []string{
	"user", "member", "membership", "role", "group", "account", "admin", "administrator", "collaborator", "privilege", "permission", "acl", "grant", "people", "team", "owner",
	"invite", "invitation", "password", "passwd", "userrights", "usermanager", "useradd", "userdel", "rights", "sudo", "impersonate", "sshkey", "apikey", "accesstoken", "webhook", "ldap", "sso", "saml", "oauth", "mfa", "otp", "totp",
	"ssh", "gpg", "deploykey", "share", "sharing", "collaboration", "delegate", "delegation", "assignee", "identity", "identities", "credential", "secret", "token", "principal", "tenant", "access", "authority", "authorities",

	// German, French, Spanish and Portuguese, Italian, Dutch, the Nordic languages, Polish.
	"benutzer", "nutzer", "mitglied", "gruppe", "konto", "konten", "rolle", "recht", "berechtigung", "passwort", "kennwort", "freigabe", "einladung",
	"utilisateur", "membre", "groupe", "compte", "droit", "partage", "motdepasse", "habilitation",
	"usuario", "usuário", "miembro", "membro", "grupo", "cuenta", "conta", "rol", "permiso", "permissão", "contraseña", "senha", "compartir",
	"utente", "utenti", "gruppo", "gruppi", "ruolo", "ruoli", "permessi", "condivisione",
	"gebruiker", "groep", "wachtwoord", "rechten", "användare", "bruker", "bruger", "grupp", "lösenord", "passord", "adgangskode", "użytkownik", "uzytkownik", "uprawnienia", "hasło",
}

// pluralEndings make the plural of the words.
var pluralEndings = []string{"", "s", "es", "e", "n", "en", "er"}

// managementWord returns a word by which an action may manage people or their rights, with the place where it stands, or
// "". It looks at the paths, the values that decide, and the fields of GraphQL. What takeoverWords find in a path is
// reported elsewhere.
func managementWord(m *MatchSpec) (word, place string) {
	for _, path := range m.Path {
		if takeoverWords.FindString(path) != "" {
			continue
		}
		if word := findWord(path); word != "" {
			return word, "at a path"
		}
	}
	for _, conditions := range []map[string]Strings{m.Query, m.Form, m.Param, m.JSON, m.XML, m.Header} {
		for _, name := range slices.Sorted(maps.Keys(conditions)) {
			for _, value := range conditions[name] {
				if word := findWord(value); word != "" {
					return word, "by a value"
				}
			}
		}
	}
	for _, field := range m.GraphQL.Field {
		if word := findWord(field); word != "" {
			return word, "by a field"
		}
	}
	return "", ""
}

// findWord returns the first word of managementWords in a pattern, or "". Words end where the case changes and at
// everything but letters; the names of variables are no words.
func findWord(pattern string) string {
	var word strings.Builder
	found := ""
	finish := func() {
		lower := strings.ToLower(word.String())
		word.Reset()
		for _, known := range managementWords {
			ending, ok := strings.CutPrefix(lower, known)
			if found == "" && ok && slices.Contains(pluralEndings, ending) {
				found = lower
			}
		}
	}

	inVariable, wasLower := false, false
	for _, c := range pattern {
		switch {
		case c == '{' || c == '}':
			inVariable = c == '{'
			finish()
		case inVariable:
		case !unicode.IsLetter(c):
			finish()
		default:
			if unicode.IsUpper(c) && wasLower {
				finish()
			}
			word.WriteRune(c)
		}
		wasLower = unicode.IsLower(c)
	}
	finish()
	return found
}

// takesFields reports whether a request of one of the methods has fields that an application reads: DELETE and the
// methods of WebDAV that name all in the head have none.
func takesFields(methods Strings) bool {
	isBare := func(method string) bool {
		return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "DELETE", "MOVE", "COPY", "MKCOL", "UNLOCK", "PURGE"}, method)
	}
	return len(methods) == 0 || slices.ContainsFunc(methods, func(m string) bool { return !isBare(m) })
}
