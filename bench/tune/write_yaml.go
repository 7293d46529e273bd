package tune

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// WriteYAML writes a configuration file with the kept keys, each with what it
// gained. Environment variables cannot be set in byline.yaml, so they are in the
// comment at the beginning.
func (r *Result) WriteYAML(w io.Writer) error {
	var b strings.Builder
	r.writeYAMLHead(&b)
	b.WriteString("\ndata_dir: data # as byline init writes it, so that byline check can read this file next to byline.yaml; keep your own\n")
	for _, section := range slices.Sorted(maps.Keys(r.Config)) {
		fmt.Fprintf(&b, "\n%s:\n", section)
		keys := r.Config[section].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			for _, g := range r.Gains {
				if g.Setting == section+"."+key {
					fmt.Fprintf(&b, "  # %s\n  # gained: %s\n", g.Why, g.summary())
				}
			}
			fmt.Fprintf(&b, "  %s: %v\n", key, keys[key])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) writeYAMLHead(b *strings.Builder) {
	line := func(format string, args ...any) { fmt.Fprintf(b, "# "+format+"\n", args...) }
	line("Found by byline bench tune on %s: %s, %d cores, a durable write takes %v.",
		r.When.UTC().Format("2006-01-02 15:04 UTC"), r.Machine.CPU, r.Machine.Cores, r.Machine.Sync.Round(time.Microsecond))
	line("Goal: %.0f requests a second from %d agents, p99 below %v: %s.", r.Goal.RPS, r.Goal.Agents, r.Goal.P99, r.verdict())
	line("Defaults: %s.", r.Defaults.summary())
	line("These:    %s.", r.Best.summary())
	if r.DefaultsAgain != nil {
		line("The defaults once more, at the end: %s.", r.DefaultsAgain.summary())
		line("So the machine itself changed by %.0f %% meanwhile: smaller gains may come from that.", 100*r.Drift())
	}
	line("± is half the distance from the smallest to the largest result of a trial. Merge the sections into byline.yaml, then run byline check.")

	fmt.Fprintf(b, "#\n")
	line("What agents of this kind need, at %.0f %% of each core, in proportion to the goal's %d:", 100*targetUtilization, r.Goal.Agents)
	line("  agents  requests/s   cores  memory MiB")
	for _, c := range r.Capacities() {
		line("%8d %11.0f %7s %11.0f", c.Agents, c.RPS, formatCores(c.Cores), c.Memory/(1<<20))
	}

	if len(r.Env) > 0 {
		fmt.Fprintf(b, "#\n")
		line("Environment of byline serve (in a systemd unit: Environment=):")
		for _, e := range r.Env {
			line("  %s", e)
		}
	}
	for _, g := range r.Gains {
		if !strings.Contains(g.Setting, ".") { // the others are with their keys
			line("  %s %s: %s", g.Setting, g.Value, g.summary())
		}
	}
	if len(r.NotTried) > 0 {
		fmt.Fprintf(b, "#\n")
		line("Not tried for lack of time: %s.", strings.Join(r.NotTried, ", "))
	}
	if len(r.Config) == 0 {
		fmt.Fprintf(b, "#\n")
		line("No key of byline.yaml gained more than %.0f %% and more than the trials vary by: the defaults stay.", 100*minGain)
	}
}

// verdict says whether the goal is met.
func (r *Result) verdict() string {
	if r.Met() {
		return "met"
	}
	return fmt.Sprintf("NOT met, the best was %.0f a second at a p99 of %s ms", r.Best.Reached, formatMS(r.Best.P99))
}

func (t Trial) summary() string {
	return fmt.Sprintf("%.1f µs ± %.0f %% of CPU a request, p50 %s ms, p99 %s ms ± %.0f %%, at most %.0f requests a second",
		t.CPU, 100*t.CPUSpread, formatMS(t.P50), formatMS(t.P99), 100*t.P99Spread, t.MaxRPS)
}

func (g Gain) summary() string {
	return fmt.Sprintf("CPU a request %+.0f %% (± %.0f), p99 %+.0f %% (± %.0f)", 100*g.CPU, 100*g.CPUSpread, 100*g.P99, 100*g.P99Spread)
}

// formatMS formats microseconds as milliseconds.
func formatMS(us float64) string { return fmt.Sprintf("%.2f", us/1e3) }

func formatCores(n float64) string {
	if n < 0.1 {
		return "< 0.1"
	}
	return fmt.Sprintf("%.1f", math.Ceil(n*10)/10)
}
