package configs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDashboardShowsEveryMetric checks both directions: each metric that the
// dashboard queries exists, and each metric that exists is on the dashboard.
func TestDashboardShowsEveryMetric(t *testing.T) {
	files, err := filepath.Glob("../proxy/metrics*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	shown := map[string]bool{} // by name of the metric
	for _, match := range regexp.MustCompile(`"(byline_[a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		shown[match[1]] = false
	}
	if len(shown) < 8 {
		t.Fatalf("found only %d metrics in proxy/metrics*.go; does the pattern still match?", len(shown))
	}

	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID                 int
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, panel := range dashboard.Panels {
		if panel.Description == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %q has no description or no query", panel.Title)
		}
		if slices.Contains(ids, panel.ID) {
			t.Errorf("panel %q has the id %d of another panel", panel.Title, panel.ID)
		}
		ids = append(ids, panel.ID)

		for _, target := range panel.Targets {
			for _, name := range regexp.MustCompile(`byline_[a-z_]+`).FindAllString(target.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				if _, ok := shown[name]; !ok {
					t.Errorf("panel %q queries %s, which the server does not export", panel.Title, name)
				}
				shown[name] = true
			}
		}
	}
	for name, ok := range shown {
		if !ok {
			t.Errorf("%s is on no panel", name)
		}
	}
}
