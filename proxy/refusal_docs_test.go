package proxy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryRefusalIsDocumented compares docs/refusals.md with the codes. Each code
// has a section, to which the type of its problem document links. The section has
// the status, the title, the meaning, and what agent and operator can do.
func TestEveryRefusalIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		code, rest, _ := strings.Cut(part, "\n")
		sections[code] = rest
	}

	for code, a := range codes {
		section, ok := sections[string(code)]
		if !ok {
			t.Errorf("%s has no section", code)
			continue
		}
		delete(sections, string(code))

		line, _, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(line, fmt.Sprint(a.status)) || !strings.HasSuffix(line, " · "+a.title) {
			t.Errorf("%s: the section begins with %q, want %d and %q", code, line, a.status, a.title)
		}
		for _, paragraph := range []string{"**Means** ", "**Agent** ", "**Operator** "} {
			if n := strings.Count(section, paragraph); n != 1 {
				t.Errorf("%s: the section has %d paragraphs %s, want 1", code, n, paragraph)
			}
		}
	}
	for code := range sections {
		t.Errorf("the page has a section %s, which is not a code", code)
	}
}
