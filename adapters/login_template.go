package adapters

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
)

// filters change the value of a variable: ${x|base64}.
var filters = map[string]func(string) string{
	"base64":      encodeBase64,
	"first_upper": firstUpper,
	"hex":         encodeHex,
	"html":        html.EscapeString,
	"json":        escapeJSON,
	"lower":       strings.ToLower,
	"md5":         hashMD5,
	"query":       url.QueryEscape,
	"sha1":        hashSHA1,
	"sha256":      hashSHA256,
	"trim":        strings.TrimSpace,
	"underscores": underscores,
	"unquery":     decodeQuery,
	"upper":       strings.ToUpper,
}

func encodeBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func encodeHex(s string) string { return hex.EncodeToString([]byte(s)) }

// escapeJSON returns s as it is written between the quotes of a JSON string.
func escapeJSON(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return "" // cannot happen: every string can be written as JSON
	}
	return string(quoted[1 : len(quoted)-1])
}

// decodeQuery returns s itself if it does not decode.
func decodeQuery(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return decoded
}

// hashMD5 is for the scripts of old login pages, which send a digest of the password.
func hashMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// hashSHA1 is for the scripts of old login pages, as hashMD5 is.
func hashSHA1(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func hashSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// expandTemplate replaces ${name} and ${name|filter|filter} by what lookUp returns for the name, and
// $${ by a literal ${. The error names the variable or the filter and holds no value.
func expandTemplate(template string, lookUp func(name string) (string, error)) (string, error) {
	return expandTemplateNoting(template, lookUp, func(string, string) {})
}

// expandTemplateNoting is expandTemplate, and calls noteFiltered for each variable whose value its
// filters changed.
func expandTemplateNoting(template string, lookUp func(name string) (string, error), noteFiltered func(name, value string)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(template, "${")
		if i < 0 {
			b.WriteString(template)
			return b.String(), nil
		}
		if i > 0 && template[i-1] == '$' {
			b.WriteString(template[:i-1] + "${")
			template = template[i+2:]
			continue
		}

		b.WriteString(template[:i])
		expression, rest, ok := strings.Cut(template[i+2:], "}")
		if !ok {
			return "", errors.New("a template has ${ without }")
		}
		template = rest

		name, chain, _ := strings.Cut(expression, "|")
		name = strings.TrimSpace(name)
		v, err := lookUp(name)
		if err != nil {
			return "", err
		}
		filtered, err := applyFilters(v, chain)
		if err != nil {
			return "", err
		}
		if filtered != v {
			noteFiltered(name, filtered)
		}
		b.WriteString(filtered)
	}
}

// applyFilters applies filters to a value, from the first to the last. chain is their names with |
// between them.
func applyFilters(v, chain string) (string, error) {
	for chain != "" {
		var name string
		name, chain, _ = strings.Cut(chain, "|")
		filter := filters[strings.TrimSpace(name)]
		if filter == nil {
			return "", fmt.Errorf("there is no filter %q", name)
		}
		v = filter(v)
	}
	return v, nil
}
