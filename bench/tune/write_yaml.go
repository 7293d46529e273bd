package tune

import (
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/report"
)

// load is how busy a processor may be on average, so that bursts find room.
const load = 0.6

// Capacity is one row of the table: what so many agents need.
type Capacity struct {
	Agents int
	RPS    float64
	Cores  float64
	Memory float64 // bytes
}

// Capacities says what agents of the goal's kind need, by what was measured
// for the best settings: CPU time a request, memory an agent. All but the row
// of the goal itself is in proportion to it, and was not run.
func (r *Result) Capacities() (all []Capacity) {
	each := r.Goal.RPS / float64(r.Goal.Agents)
	perAgent := max(0, r.Best.Memory-r.Best.Base) / float64(r.Goal.Agents)
	counts := []int{r.Goal.Agents}
	for n := 1; n <= min(100_000, 1000*r.Goal.Agents); n *= 10 {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	for _, n := range slices.Compact(counts) {
		rps := each * float64(n)
		all = append(all, Capacity{n, rps, rps * r.Best.CPU / 1e6 / load, r.Best.Base + perAgent*float64(n)})
	}
	return all
}

// WriteYAML writes what differs from Byline's defaults, each setting with what
// it bought. Variables of the environment cannot be set in byline.yaml: they
// stand in its first lines.
func (r *Result) WriteYAML(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Found by byline bench tune on %s: %s, %d cores, disk %v a durable write.\n", r.When.UTC().Format("2006-01-02 15:04 UTC"), r.Machine.CPU, r.Machine.Cores, r.Machine.Sync.Round(time.Microsecond))
	fmt.Fprintf(&b, "# Goal: %.0f requests a second from %d agents, p99 below %v: %s.\n", r.Goal.RPS, r.Goal.Agents, r.Goal.P99, r.met())
	fmt.Fprintf(&b, "# Defaults: %s.\n# These:    %s.\n", r.First.words(), r.Best.words())
	if r.Again != nil {
		fmt.Fprintf(&b, "# The defaults once more, at the end: %s.\n# So the machine itself changed by %.0f %% meanwhile: gains below that may be its own.\n", r.Again.words(), 100*r.Wavered())
	}
	fmt.Fprintf(&b, "# ± is half of the way from the smallest to the largest of a trial's slices. Merge the sections into byline.yaml, then: byline check.\n"+
		"#\n# What agents of this kind need, at %.0f %% of each core, in proportion to the goal's %d:\n#   agents  requests/s   cores  memory MiB\n", 100*load, r.Goal.Agents)
	for _, c := range r.Capacities() {
		fmt.Fprintf(&b, "# %8d %11.0f %7s %11.0f\n", c.Agents, c.RPS, cores(c.Cores), c.Memory/(1<<20))
	}
	if len(r.Env) > 0 {
		fmt.Fprintf(&b, "#\n# Environment of byline serve (in a unit: Environment=):\n")
		for _, e := range r.Env {
			fmt.Fprintf(&b, "#   %s\n", e)
		}
	}
	for _, g := range r.Bought {
		if !strings.Contains(g.Setting, ".") {
			fmt.Fprintf(&b, "#   %s %s: %s\n", g.Setting, g.Value, g.words())
		}
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(&b, "#\n# Not tried, for the time was over: %s.\n", strings.Join(r.Left, ", "))
	}
	if len(r.Changed) == 0 {
		fmt.Fprintf(&b, "#\n# No key of byline.yaml bought more than %.0f %% and more than the trials wavered by: the defaults stand.\n", 100*worth)
	}
	b.WriteString("\ndata_dir: data # as byline init writes it, so that byline check reads this file beside byline.yaml; keep your own\n")
	for _, section := range slices.Sorted(maps.Keys(r.Changed)) {
		fmt.Fprintf(&b, "\n%s:\n", section)
		inner := r.Changed[section].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(inner)) {
			for _, g := range r.Bought {
				if g.Setting == section+"."+key {
					fmt.Fprintf(&b, "  # %s\n  # bought: %s\n", g.Why, g.words())
				}
			}
			fmt.Fprintf(&b, "  %s: %v\n", key, inner[key])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) met() string {
	if r.Met() {
		return "met"
	}
	return fmt.Sprintf("NOT met, %.0f a second at a p99 of %s ms was the best", r.Best.Reached, ms(r.Best.P99))
}

func (t Trial) words() string {
	return fmt.Sprintf("%.1f µs ± %.0f %% of CPU a request, p50 %s ms, p99 %s ms ± %.0f %%, at most %.0f requests a second", t.CPU, 100*t.CPUBy, ms(t.P50), ms(t.P99), 100*t.P99By, t.Most)
}

func (g Gain) words() string {
	return fmt.Sprintf("CPU a request %+.0f %% (± %.0f), p99 %+.0f %% (± %.0f)", 100*g.CPU, 100*g.CPUBy, 100*g.P99, 100*g.P99By)
}

func ms(us float64) string { return fmt.Sprintf("%.2f", us/1e3) }

func cores(v float64) string {
	if v < 0.1 {
		return "< 0.1"
	}
	return fmt.Sprintf("%.1f", math.Ceil(v*10)/10)
}

// WriteHTML writes the whole search as one page that needs no other file.
func (r *Result) WriteHTML(w io.Writer) error {
	return pageOf.Execute(w, map[string]any{"R": r, "Met": r.met(), "Capacities": r.Capacities(), "Load": 100 * load, "Worth": 100 * worth, "Wavered": 100 * r.Wavered(),
		"Pictures": r.pictures(), "Sync": float64(r.Machine.Sync.Nanoseconds()) / 1e3})
}

// pictures shows every setting that was tried, beside the defaults.
func (r *Result) pictures() (all []template.HTML) {
	still := func(Trial) float64 { return 0 } // measured once
	for _, of := range []struct {
		title, unit string
		value       func(Trial) float64
		budget      float64
		by          func(Trial) float64
	}{
		{"CPU time of a small request, and what it wavered by", "µs", func(t Trial) float64 { return t.CPU }, 0, func(t Trial) float64 { return t.CPUBy }},
		{"p99 at the goal's rate, and what it wavered by", "ms", func(t Trial) float64 { return t.P99 / 1e3 }, float64(r.Goal.P99.Microseconds()) / 1e3, func(t Trial) float64 { return t.P99By }},
		{"Most requests a second, closed loop", "requests a second", func(t Trial) float64 { return t.Most }, 0, still},
		{"Memory under load", "MiB", func(t Trial) float64 { return t.Memory / (1 << 20) }, 0, still},
	} {
		bar := func(name string, t Trial, mark bool) report.Bar {
			v, by := of.value(t), of.by(t)
			return report.Bar{Name: name, Value: v, Low: v * max(0, 1-by), High: v * (1 + by), Mark: mark}
		}
		bars := []report.Bar{bar(defaults, r.First, false)}
		for _, t := range r.Trials {
			if t.Failed == "" {
				bars = append(bars, bar(short(t), t, t.Kept))
			}
		}
		bars = append(bars, bar("all that was kept", r.Best, true))
		if r.Again != nil {
			bars = append(bars, bar("defaults, once more", *r.Again, false))
		}
		all = append(all, template.HTML(report.Bars(of.title, of.unit, bars, of.budget))) // our own SVG, its texts escaped
	}
	var line report.Line
	for _, c := range r.Capacities() {
		line.X, line.Y = append(line.X, float64(c.Agents)), append(line.Y, c.Cores)
	}
	line.Name = "cores"
	return append(all, template.HTML(report.Plot{Title: "Cores for agents of this kind", X: "agents", Y: "cores", LogX: true, LogY: true, Lines: []report.Line{line}}.SVG()))
}

func short(t Trial) string {
	_, key, ok := strings.Cut(t.Setting, ".")
	if !ok {
		key = strings.Split(t.Setting, ",")[0]
	}
	text := strings.NewReplacer("GOGC=", "", "GOMEMLIMIT=", "").Replace(t.Value)
	if n, err := strconv.Atoi(t.Value); err == nil && n >= 1<<20 {
		text = fmt.Sprintf("%d MiB", n>>20)
	}
	return key + " " + text
}

var pageOf = template.Must(template.New("page").Funcs(template.FuncMap{
	"ms":  ms,
	"mib": func(v float64) string { return fmt.Sprintf("%.0f", v/(1<<20)) },
	"n":   func(v float64) string { return fmt.Sprintf("%.0f", v) },
	"us":  func(v float64) string { return fmt.Sprintf("%.1f", v) }, "cores": cores,
	"gain": func(g Gain) string { return g.words() },
	"per":  func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
}).Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Byline: capacity</title>
<style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right}td{white-space:nowrap}td.t{white-space:normal}td:first-child,th:first-child,td.t{text-align:left}
tr.kept td{font-weight:bold}svg{max-width:100%;height:auto;margin:.5em 0}</style>
<h1>Capacity of Byline on this machine</h1>
<p>Goal: {{n .R.Goal.RPS}} requests a second from {{.R.Goal.Agents}} agents with a p99 below {{.R.Goal.P99}}: <b>{{.Met}}</b>.</p>
<p>{{.R.Machine.CPU}}, {{.R.Machine.Cores}} cores, {{.R.Machine.Kernel}}, {{.R.Machine.Go}}; a durable write of 4 KiB takes {{us .Sync}} µs on {{.R.Machine.Disk}}.
{{.R.When.UTC.Format "2006-01-02 15:04 UTC"}}. The application answers at once from this machine: what a real one takes comes on top.</p>
<h2>What agents of this kind need</h2>
<table><tr><th>agents<th>requests a second<th>cores at {{n .Load}} %<th>memory MiB</tr>
{{range .Capacities}}<tr{{if eq .Agents $.R.Goal.Agents}} class="kept"{{end}}><td>{{.Agents}}<td>{{n .RPS}}<td>{{cores .Cores}}<td>{{mib .Memory}}</tr>
{{end}}</table>
<p>The row of {{.R.Goal.Agents}} agents was run; the others are in proportion to it, for an application that keeps up.</p>
<h2>What was kept</h2>
{{if .R.Bought}}<table><tr><th>setting<th>value<th>bought<th>what it does</tr>
{{range .R.Bought}}<tr><td>{{.Setting}}<td class="t">{{.Value}}<td class="t">{{gain .}}<td class="t">{{.Why}}</tr>
{{end}}</table>{{else}}<p>Nothing bought more than {{n .Worth}} % and more than the trials wavered by: the defaults stand.</p>{{end}}
{{if .R.Left}}<p>Not tried, for the time was over: {{range $i, $l := .R.Left}}{{if $i}}, {{end}}{{$l}}{{end}}.</p>{{end}}
<h2>Everything that was tried</h2>
<table><tr><th>setting<th>value<th>µs of CPU a request<th>±<th>p50 ms<th>p99 ms<th>±<th>most requests a second<th>memory MiB<th>records a group</tr>
{{define "cells"}}<td>{{us .CPU}}<td>{{per .CPUBy}}<td>{{ms .P50}}<td>{{ms .P99}}<td>{{per .P99By}}<td>{{n .Most}}<td>{{mib .Memory}}<td>{{n .Group}}{{end -}}
<tr><td>defaults<td>{{template "cells" .R.First}}</tr>
{{range .R.Trials}}{{if .Failed}}<tr><td>{{.Setting}}<td class="t">{{.Value}}<td class="t" colspan="8">failed: {{.Failed}}</tr>
{{else}}<tr{{if .Kept}} class="kept"{{end}}><td>{{.Setting}}<td class="t">{{.Value}}{{template "cells" .}}</tr>
{{end}}{{end}}<tr class="kept"><td>all that was kept, once more<td>{{template "cells" .R.Best}}</tr>
{{with .R.Again}}<tr><td>defaults, once more<td>{{template "cells" .}}</tr>{{end}}</table>
<p>Each trial is a fresh server: one closed loop for the most that it can do, then three open loops at the goal's rate for everything else; medians of the three, ± is half of
the way from their smallest to their largest. CPU time is that of the proxy. {{if .R.Again}}At the end the defaults cost {{n .Wavered}} % more or less than at the start: differences below that may be the machine's own.{{end}}</p>
{{range .Pictures}}{{.}}
{{end}}</html>
`))
