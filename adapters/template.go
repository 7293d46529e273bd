package adapters

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// filters change a template's value: ${x|base64}.
var filters = map[string]func(string) string{
	"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"query":  url.QueryEscape,
	"html":   html.EscapeString,
	"json":   jsonText,
	"hex":    func(s string) string { return hex.EncodeToString([]byte(s)) },
	"sha256": func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
	"lower":  strings.ToLower,
	"upper":  strings.ToUpper,
	"trim":   strings.TrimSpace,
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
		v, err := value(strings.TrimSpace(name))
		if err != nil {
			return "", err
		}
		for chain != "" {
			var filter string
			filter, chain, _ = strings.Cut(chain, "|")
			f := filters[strings.TrimSpace(filter)]
			if f == nil {
				return "", fmt.Errorf("there is no filter %q", filter)
			}
			v = f(v)
		}
		b.WriteString(v)
		text = rest
	}
}

// oneTimeCode is the RFC 6238 code of a seed: base32, with or without spaces and padding, or an otpauth:// URL.
func oneTimeCode(seed string, now time.Time) (string, error) {
	opts := totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	if strings.HasPrefix(seed, "otpauth://") {
		key, err := otp.NewKeyFromURL(seed)
		if err != nil {
			return "", fmt.Errorf("totp_seed is not an otpauth URL")
		}
		seed, opts.Period, opts.Digits, opts.Algorithm = key.Secret(), uint(key.Period()), key.Digits(), key.Algorithm()
	}
	seed = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(seed))
	code, err := totp.GenerateCodeCustom(seed, now, opts)
	if err != nil {
		return "", fmt.Errorf("totp_seed is not base32")
	}
	return code, nil
}
