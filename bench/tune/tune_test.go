package tune

import (
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/configs"
)

// exampleResult returns the result of a search that kept settings of both kinds.
func exampleResult() *Result {
	return &Result{
		Goal:     Goal{RPS: 1000, Agents: 100, P99: 20 * time.Millisecond, For: time.Minute},
		When:     time.Unix(0, 0),
		Defaults: Trial{CPU: 40, P50: 500, P99: 30000, MaxRPS: 9000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Best:     Trial{CPU: 30, P50: 400, P99: 10000, MaxRPS: 12000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Trials: []Trial{
			{Setting: "audit.commit_every", Value: "1ms", CPU: 30, P99: 10000, Kept: true},
			{Setting: "GOMAXPROCS", Value: "1", Failed: "it <ended>"},
		},
		DefaultsAgain: &Trial{CPU: 44, P50: 500, P99: 30000, MaxRPS: 9000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Env:           []string{"GOGC=200"},
		Config:        map[string]any{"audit": map[string]any{"commit_every": "1ms"}, "wire": map[string]any{"max_conns": 64}},
		Gains: []Gain{
			{Setting: "GOGC, GOMEMLIMIT", Value: "GOGC=200", CPU: -0.1, Why: "garbage"},
			{Setting: "audit.commit_every", Value: "1ms", CPU: -0.25, CPUSpread: 0.05, P99: -0.66, P99Spread: 0.1, Why: "groups"},
		},
	}
}

func writeYAML(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheFileIsYAMLAndSaysWhatEachSettingGained(t *testing.T) {
	text := writeYAML(t, exampleResult())
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got := config["audit"].(map[string]any)["commit_every"]; got != "1ms" {
		t.Errorf("audit.commit_every is %v, want 1ms", got)
	}
	for _, want := range []string{
		"gained: CPU a request -25 % (± 5), p99 -66 % (± 10)",
		"the machine itself changed by 10 % meanwhile",
		"#   GOGC=200",
		": met.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the file does not contain %q:\n%s", want, text)
		}
	}
}

func TestTheFileOfASearchWithoutGainsIsYAML(t *testing.T) {
	text := writeYAML(t, &Result{Goal: Goal{RPS: 1, Agents: 1}})
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if len(config) != 1 {
		t.Errorf("the file sets %v, want only data_dir", config)
	}
}

func TestTheConfigurationAcceptsEveryValueThatIsTried(t *testing.T) {
	for _, setting := range settingsFor(8) {
		for _, v := range setting.values {
			r := exampleResult()
			r.Config = map[string]any{}
			if v.key != "" {
				setKey(r.Config, v.key, v.to)
			}
			if _, err := configs.Parse("tuned.yaml", []byte(writeYAML(t, r))); err != nil {
				t.Errorf("%s %s: %v", setting.name, v.text, err)
			}
		}
	}
}

func TestTheHTMLPageRefersToNoOtherFile(t *testing.T) {
	var b strings.Builder
	if err := exampleResult().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, unwanted := range []string{"src=", "href=", "<script", "it <ended>", "NaN"} {
		if strings.Contains(page, unwanted) {
			t.Errorf("the page contains %q", unwanted)
		}
	}
	if n := strings.Count(page, "<svg"); n != 5 {
		t.Errorf("the page contains %d charts, want 5", n)
	}
	if !strings.Contains(page, "<b>met</b>") {
		t.Errorf("the page does not say that the goal is met:\n%s", page)
	}
}

func TestCapacitiesContainTheGoal(t *testing.T) {
	got := exampleResult().Capacities()[2]
	want := Capacity{Agents: 100, RPS: 1000, Cores: 1000 * 30 / 1e6 / targetUtilization, Memory: 80 << 20}
	if got != want {
		t.Errorf("the capacity for the goal is %+v, want %+v", got, want)
	}
}

func TestBetterComparesTheGoalFirstAndThenTheCost(t *testing.T) {
	goal := Goal{RPS: 1000, P99: 20 * time.Millisecond}
	slow := Trial{CPU: 10, P99: 30000, Reached: 1000}
	fast := Trial{CPU: 20, P99: 5000, Reached: 1000}
	steady := Trial{CPU: 20, CPUSpread: 0.12, P99: 5000, Reached: 1000}
	for _, c := range []struct {
		name    string
		t, best Trial
		want    bool
	}{
		{"meets the goal at a higher cost", fast, slow, true},
		{"costs less but misses the goal", slow, fast, false},
		{"costs less, but not by more than its spread", Trial{CPU: 16, CPUSpread: 0.5, P99: 5000, Reached: 1000}, fast, false},
		{"costs less, but not by more than both spreads", Trial{CPU: 16.4, CPUSpread: 0.21, P99: 5000, Reached: 1000}, steady, false},
		{"costs less by more than both spreads", Trial{CPU: 12, CPUSpread: 0.21, P99: 5000, Reached: 1000}, steady, true},
		{"costs 2.5 % less", Trial{CPU: 19.5, P99: 5000, Reached: 1000}, fast, false},
		{"costs 10 % less", Trial{CPU: 18, P99: 5000, Reached: 1000}, fast, true},
		{"costs less at a lower rate", Trial{CPU: 10, P99: 5000, Reached: 500}, fast, false},
		{"failed", Trial{CPU: 1, Failed: "x"}, fast, false},
	} {
		if got := better(goal, c.t, c.best); got != c.want {
			t.Errorf("%s: better is %v, want %v", c.name, got, c.want)
		}
	}
}
