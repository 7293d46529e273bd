package adapters

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
)

// filters change a template's value: ${x|base64}.
var filters = map[string]func(string) string{
	"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"query":  url.QueryEscape,
	"html":   html.EscapeString,
	"json":   jsonText,
	"hex":    func(s string) string { return hex.EncodeToString([]byte(s)) },
	"unquery": func(s string) string {
		if plain, err := url.QueryUnescape(s); err == nil {
			return plain
		}
		return s
	},
	"md5":    func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) },  // what old login scripts send
	"sha1":   func(s string) string { sum := sha1.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }, // likewise
	"sha256": func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
	"lower":  strings.ToLower,
	"upper":  strings.ToUpper,
	"trim":   strings.TrimSpace,

	"first_upper": firstUpper,
	"underscores": underscores,
}

// jsonText is s as it stands between the quotes of a JSON string.
func jsonText(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // cannot happen: every string has a JSON form
	}
	return string(text[1 : len(text)-1])
}

// expand fills in ${name} and ${name|filter|filter}; $${ is a literal ${. The error names the variable, never a value.
func expand(text string, value func(name string) (string, error)) (string, error) {
	return expandNoting(text, value, func(string, string) {})
}

// expandNoting also tells filtered what filters made of a variable.
func expandNoting(text string, value func(name string) (string, error), filtered func(name, value string)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		expression, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok {
			return "", fmt.Errorf("a template has a ${ without }")
		}
		name, chain, _ := strings.Cut(expression, "|")
		name = strings.TrimSpace(name)
		v, err := value(name)
		if err != nil {
			return "", err
		}
		plain := v
		for chain != "" {
			var filter string
			filter, chain, _ = strings.Cut(chain, "|")
			f := filters[strings.TrimSpace(filter)]
			if f == nil {
				return "", fmt.Errorf("there is no filter %q", filter)
			}
			v = f(v)
		}
		if v != plain {
			filtered(name, v)
		}
		b.WriteString(v)
		text = rest
	}
}
