package tune

import (
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/configs"
)

func result() *Result {
	return &Result{Goal: Goal{RPS: 1000, Agents: 100, P99: 20 * time.Millisecond, For: time.Minute}, When: time.Unix(0, 0),
		First:   Trial{CPU: 40, P50: 500, P99: 30000, Most: 9000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Best:    Trial{CPU: 30, P50: 400, P99: 10000, Most: 12000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Trials:  []Trial{{Setting: "audit.commit_every", Value: "1ms", CPU: 30, P99: 10000, Kept: true}, {Setting: "GOMAXPROCS", Value: "1", Failed: "it <ended>"}},
		Again:   &Trial{CPU: 44, P50: 500, P99: 30000, Most: 9000, Reached: 1000, Memory: 80 << 20, Base: 30 << 20},
		Env:     []string{"GOGC=200"},
		Changed: map[string]any{"audit": map[string]any{"commit_every": "1ms"}, "wire": map[string]any{"max_conns": 64}},
		Bought:  []Gain{{Setting: "GOGC, GOMEMLIMIT", Value: "GOGC=200", CPU: -0.1, Why: "garbage"}, {Setting: "audit.commit_every", Value: "1ms", CPU: -0.25, CPUBy: 0.05, P99: -0.66, P99By: 0.1, Why: "groups"}}}
}

func TestTheFileIsYAMLThatSaysWhatItBought(t *testing.T) {
	for _, r := range []*Result{result(), {Goal: Goal{RPS: 1, Agents: 1}}} {
		var b strings.Builder
		if err := r.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := yaml.Unmarshal([]byte(b.String()), &back); err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		if len(back) != len(r.Changed)+1 {
			t.Errorf("%v came back from\n%s", back, b.String())
		}
		if len(r.Changed) > 0 && (back["audit"].(map[string]any)["commit_every"] != "1ms" || !strings.Contains(b.String(), "bought: CPU a request -25 % (± 5), p99 -66 % (± 10)") ||
			!strings.Contains(b.String(), "the machine itself changed by 10 % meanwhile") || !strings.Contains(b.String(), "#   GOGC=200") || !strings.Contains(b.String(), ": met.")) {
			t.Error(b.String())
		}
	}
}

// Whatever is kept, a server starts with it.
func TestEveryValueIsOneThatTheConfigurationTakes(t *testing.T) {
	for _, k := range knobsFor(8) {
		for _, v := range k.values {
			r := result()
			r.Changed = map[string]any{}
			if v.path != "" {
				put(r.Changed, v.path, v.to)
			}
			var b strings.Builder
			if err := r.WriteYAML(&b); err != nil {
				t.Fatal(err)
			}
			if _, err := configs.Parse("tuned.yaml", []byte(b.String())); err != nil {
				t.Errorf("%s %s: %v", k.name, v.text, err)
			}
		}
	}
}

func TestThePageNeedsNothingElse(t *testing.T) {
	var b strings.Builder
	if err := result().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"src=", "href=", "<script", "it <ended>", "NaN"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if strings.Count(b.String(), "<svg") != 5 || !strings.Contains(b.String(), "<b>met</b>") {
		t.Error(b.String())
	}
}

func TestCapacityGrowsWithAgents(t *testing.T) {
	c := result().Capacities()
	if c[2].Agents != 100 || c[2].RPS != 1000 || c[2].Cores != 1000*30/1e6/load || c[2].Memory != 80<<20 {
		t.Errorf("%+v", c[2])
	}
}

func TestBetterMeetsTheGoalFirst(t *testing.T) {
	g := Goal{RPS: 1000, P99: 20 * time.Millisecond}
	slow, fast := Trial{CPU: 10, P99: 30000, Reached: 1000}, Trial{CPU: 20, P99: 5000, Reached: 1000}
	for _, c := range []struct {
		name    string
		t, best Trial
		want    bool
	}{
		{"meets it, though dearer", fast, slow, true},
		{"cheaper, but misses it", slow, fast, false},
		{"cheaper by less than both waver", Trial{CPU: 16, CPUBy: 0.5, P99: 5000, Reached: 1000}, fast, false},
		{"cheaper by less than the ± that is printed", Trial{CPU: 16.4, CPUBy: 0.21, P99: 5000, Reached: 1000}, Trial{CPU: 20, CPUBy: 0.12, P99: 5000, Reached: 1000}, false},
		{"cheaper by more", Trial{CPU: 12, CPUBy: 0.21, P99: 5000, Reached: 1000}, Trial{CPU: 20, CPUBy: 0.12, P99: 5000, Reached: 1000}, true},
		{"within the noise", Trial{CPU: 19.5, P99: 5000, Reached: 1000}, fast, false},
		{"cheaper by a tenth", Trial{CPU: 18, P99: 5000, Reached: 1000}, fast, true},
		{"cheaper at a lower rate", Trial{CPU: 10, P99: 5000, Reached: 500}, fast, false},
		{"failed", Trial{CPU: 1, Failed: "x"}, fast, false},
	} {
		if better(g, c.t, c.best) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}
