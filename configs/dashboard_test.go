package configs

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDashboardShowsTheMetricsThereAre compares both ways: a figure that is
// drawn exists, and one that exists is drawn.
func TestDashboardShowsTheMetricsThereAre(t *testing.T) {
	source, err := os.ReadFile("../proxy/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(byline_[a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		made[m[1]] = false
	}
	if len(made) < 8 {
		t.Fatalf("only %d metrics were found: the names are read wrongly", len(made))
	}
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID                 int
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, p := range board.Panels {
		if p.Description == "" || len(p.Targets) == 0 || slices.Contains(ids, p.ID) {
			t.Errorf("panel %q: no description, no targets, or an id that is taken", p.Title)
		}
		ids = append(ids, p.ID)
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`byline_[a-z_]+`).FindAllString(target.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				if _, ok := made[name]; !ok {
					t.Errorf("panel %q draws %s, which nothing makes", p.Title, name)
				}
				made[name] = true
			}
		}
	}
	for name, drawn := range made {
		if !drawn {
			t.Errorf("%s is on no panel", name)
		}
	}
}
