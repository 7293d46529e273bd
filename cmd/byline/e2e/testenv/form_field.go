package testenv

import (
	"html"
	"strings"
)

// FormField returns the value of the first input with that name in an HTML
// page, unescaped, or the empty string.
func FormField(page, name string) string {
	for rest, ok := page, true; ok; {
		_, rest, ok = strings.Cut(rest, "<input")
		if !ok {
			return ""
		}
		tag, _, _ := strings.Cut(rest, ">")
		if !strings.Contains(tag, `name="`+name+`"`) && !strings.Contains(tag, `name='`+name+`'`) {
			continue
		}

		_, value, _ := strings.Cut(tag, `value=`)
		if value == "" {
			return ""
		}
		quote := value[:1]
		value, _, _ = strings.Cut(value[1:], quote)
		return html.UnescapeString(value)
	}
	return ""
}
