package testenv

import (
	"html"
	"strings"
)

// Field is the value of the first input of that name in a page.
func Field(page, name string) string {
	for rest, ok := page, true; ok; {
		var tag string
		if _, rest, ok = strings.Cut(rest, "<input"); !ok {
			return ""
		}
		tag, _, _ = strings.Cut(rest, ">")
		if strings.Contains(tag, `name="`+name+`"`) || strings.Contains(tag, `name='`+name+`'`) {
			_, value, _ := strings.Cut(tag, `value=`)
			if value == "" {
				return ""
			}
			value, _, _ = strings.Cut(value[1:], value[:1])
			return html.UnescapeString(value)
		}
	}
	return ""
}
