package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// minSecretBits is the least strength of a secret, by the estimate of secretBits. An
// agent that makes a page repeat a list of guesses sees which of them is masked, so a
// secret must not be in a list that fits into an application's pages.
const minSecretBits = 40

// publicFields are fields of an account that are no secrets.
var publicFields = []string{"username", "user", "email", "client_id", "domain", "realm", "tenant", "account", "host", "url", "log_name"}

// commonSecrets are what people choose first, without what they put at the end.
var commonSecrets = []string{
	"abc", "access", "account", "admin", "administrator", "agent", "byline", "changeit", "changeme", "default", "demo", "dragon",
	"football", "guest", "hello", "iloveyou", "letmein", "login", "master", "monkey", "pass", "passw", "password", "passphrase",
	"qwerty", "qwertz", "root", "secret", "service", "shadow", "summer", "sunshine", "superman", "system", "temp", "test", "token",
	"trustno", "user", "welcome", "winter",
	"azerty", "bonjour", "contrasena", "geheim", "hallo", "kennwort", "motdepasse", "parola", "passwort", "senha", "sommer", "wachtwoord", "willkommen",
}

// keyboardRows are keys that stand next to each other, on keyboards of several countries.
var keyboardRows = []string{
	"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm",
	"1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm",
}

// areNeighbours reports whether b is a, or follows or precedes it in the alphabet or on
// a keyboard.
func areNeighbours(a, b rune) bool {
	if b-a == 0 || b-a == 1 || b-a == -1 {
		return true
	}
	a, b = unicode.ToLower(a), unicode.ToLower(b)
	return slices.ContainsFunc(keyboardRows, func(row string) bool {
		return strings.Contains(row, string(a)+string(b)) || strings.Contains(row, string(b)+string(a))
	})
}

// guessableFields returns the names of the fields whose values can be guessed, each with
// the reason. No reason repeats a value.
func guessableFields(adapter, account string, secret map[string]string) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(secret)) {
		if slices.Contains(publicFields, name) {
			continue
		}
		if why := guessable(secret[name], adapter, account, secret["username"]); why != "" {
			problems = append(problems, fmt.Sprintf("field %s %s", name, why))
		}
	}
	return problems
}

// guessable returns why a value can be guessed by somebody who knows the names, or "".
func guessable(value string, names ...string) string {
	word := secretWord(value)
	for _, name := range names {
		if name != "" && (strings.EqualFold(value, name) || word != "" && word == secretWord(name)) {
			return "is the name of the account or the adapter, or little more"
		}
	}
	if slices.Contains(commonSecrets, word) {
		return "is a common word, or little more"
	}

	digits := strings.NewReplacer(" ", "", "-", "").Replace(value)
	if strings.Trim(digits, "0123456789") == "" && secretBits(digits) < minSecretBits {
		return "is a short number"
	}
	if bits := secretBits(value); bits < minSecretBits {
		return fmt.Sprintf("can be guessed: it is too short or too regular (about %.0f bits, %d are needed)", bits, minSecretBits)
	}
	return ""
}

// secretWord returns the letters of a value in lower case, with the usual digits and
// signs in place of letters read as those, and without digits and signs around it.
func secretWord(value string) string {
	value = strings.TrimFunc(strings.ToLower(value), func(r rune) bool { return !unicode.IsLetter(r) && r != '@' && r != '$' })
	return strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i", "-", "", "_", "", ".", "", " ", "").Replace(value)
}

// secretBits estimates the strength of a value: its length times the bits of the kinds
// of characters that it has. A character that repeats the one before, or continues a
// run like abc, 321 or qwe, counts for one bit, and no value has more than its different
// characters allow.
func secretBits(value string) float64 {
	runes := []rune(value)
	kinds := map[string]float64{}
	different := map[rune]bool{}
	for _, r := range runes {
		different[r] = true
		switch {
		case unicode.IsDigit(r):
			kinds["digits"] = 10
		case unicode.IsLower(r):
			kinds["lower case"] = 26
		case unicode.IsUpper(r):
			kinds["upper case"] = 26
		case r < unicode.MaxASCII:
			kinds["signs"] = 33
		default:
			kinds["others"] = 100
		}
	}

	size := 0.0
	for _, n := range kinds {
		size += n
	}
	perRune := min(math.Log2(max(size, 1)), math.Log2(float64(len(different)+1))+1)
	bits := 0.0
	for i, r := range runes {
		if i > 0 && areNeighbours(runes[i-1], r) {
			bits++
			continue
		}
		bits += perRune
	}
	return bits
}
