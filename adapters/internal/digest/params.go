package digest

import "strings"

// parseParams parses the parameters of a challenge: name=value and name="value" with commas between
// them (RFC 9110 section 11.2). Names are in lower case in the result. What follows a parameter without
// = is ignored.
func parseParams(text string) map[string]string {
	params := map[string]string{}
	for {
		text = strings.TrimLeft(text, ", \t")
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return params
		}

		var value string
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			value, text = cutQuoted(rest)
		} else {
			value, text = cutToken(rest)
		}
		params[strings.ToLower(strings.TrimSpace(name))] = value
	}
}

// cutQuoted splits text after the quoted string that it begins with (RFC 9110 section 5.6.4), and
// returns the string without quotes and backslashes.
func cutQuoted(text string) (value, rest string) {
	var b strings.Builder
	i := 1
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), text[min(i+1, len(text)):]
}

// cutToken splits text before the first comma or blank.
func cutToken(text string) (value, rest string) {
	end := strings.IndexAny(text, ", \t")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// quotedEscapes are what escapeQuoted replaces.
var quotedEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "")

// escapeQuoted returns s as it is written between the quotes of a quoted string. It drops line breaks.
func escapeQuoted(s string) string { return quotedEscapes.Replace(s) }
