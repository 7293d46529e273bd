package adapters

import (
	"fmt"
	"testing"
)

func TestExpandTemplate(t *testing.T) {
	lookUp := func(name string) (string, error) {
		if name != "x" {
			return "", fmt.Errorf("no %s", name)
		}
		return ` a"<é `, nil
	}

	for template, want := range map[string]string{
		"": "", "plain $x": "plain $x", "$${x}": "${x}",
		"${x|trim}!":           `a"<é!`,
		"${x|trim|base64}":     "YSI8w6k=",
		"${x | trim | query}":  "a%22%3C%C3%A9",
		"${x|query|unquery}":   ` a"<é `,
		"${x|trim|html}":       "a&#34;&lt;é",
		"${x|trim|hex}":        "61223cc3a9",
		"${x|trim|upper}":      `A"<É`,
		"${x|trim|json}":       `a\"\u003cé`,
		"${x|trim}${x|trim}":   `a"<éa"<é`,
		"$${x}${x|trim|lower}": `${x}a"<é`,
	} {
		if got, err := expandTemplate(template, lookUp); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", template, got, err, want)
		}
	}

	for _, template := range []string{"${x", "${y}", "${x|rot13}"} {
		if got, err := expandTemplate(template, lookUp); err == nil {
			t.Errorf("%s: %q, want an error", template, got)
		}
	}
}
