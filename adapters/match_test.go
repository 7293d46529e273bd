package adapters

import (
	"strings"
	"testing"
)

// loadActions compiles actions, one flow mapping a line, into an adapter. extra is further YAML at the top level.
func loadActions(t testing.TB, extra string, actions ...string) *Adapter {
	t.Helper()
	text := "name: app\n" + strings.Replace(hostsAndInterim, "HOST", "app.example", 1) + "login: {kind: basic}\n" + extra + "\nactions:\n"
	for _, line := range actions {
		text += "  - {" + line + "}\n"
	}
	set, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("app")
}

// verdictOf is "action resource", with " !" after a privileged one; "login" or "refused".
func verdictOf(a *Adapter, q Query) string {
	act, why := a.Classify(q)
	switch {
	case why != nil:
		return "refused"
	case act.Login:
		return "login"
	}
	text := strings.TrimSpace(act.Name + " " + act.Resource)
	if act.Privileged {
		text += " !"
	}
	return text
}
