package proxy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryRefusalIsExplained holds docs/refusals.md to the codes: each has a
// section with its status, its title, and what agent and operator do, and none
// is explained that there is not. The type of a problem leads to that section.
func TestEveryRefusalIsExplained(t *testing.T) {
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
		s, ok := sections[string(code)]
		if !ok {
			t.Errorf("%s is not explained", code)
			continue
		}
		delete(sections, string(code))
		first, _, _ := strings.Cut(s, "\n")
		if !strings.HasPrefix(first, fmt.Sprint(a.status)) || !strings.HasSuffix(first, " · "+a.title) {
			t.Errorf("%s: the page says %q, the code %d · %s", code, first, a.status, a.title)
		}
		for _, part := range []string{"**Means** ", "**Agent** ", "**Operator** "} {
			if strings.Count(s, part) != 1 {
				t.Errorf("%s: the page does not say what %s", code, part)
			}
		}
	}
	for code := range sections {
		t.Errorf("%s is explained and there is no such code", code)
	}
}
