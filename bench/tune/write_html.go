package tune

import (
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/bench/report"
)

// WriteHTML writes the whole search as one page that refers to no other file.
func (r *Result) WriteHTML(w io.Writer) error {
	return htmlPage.Execute(w, map[string]any{
		"R":           r,
		"Verdict":     r.verdict(),
		"Capacities":  r.Capacities(),
		"Utilization": 100 * targetUtilization,
		"MinGain":     100 * minGain,
		"Drift":       100 * r.Drift(),
		"Charts":      r.charts(),
		"SyncUS":      float64(r.Machine.Sync.Nanoseconds()) / 1e3,
	})
}

// charts returns one bar chart per figure, with a bar for each trial, and the
// curve of the capacities. The SVG is safe to embed: package report escapes all
// text in it.
func (r *Result) charts() []template.HTML {
	noSpread := func(Trial) float64 { return 0 } // figures that are measured once per trial

	var charts []template.HTML
	for _, c := range []struct {
		title, unit string
		value       func(Trial) float64
		spread      func(Trial) float64
		budget      float64
	}{
		{"CPU time of a small request, and its spread", "µs",
			func(t Trial) float64 { return t.CPU }, func(t Trial) float64 { return t.CPUSpread }, 0},
		{"p99 at the goal's rate, and its spread", "ms",
			func(t Trial) float64 { return t.P99 / 1e3 }, func(t Trial) float64 { return t.P99Spread }, float64(r.Goal.P99.Microseconds()) / 1e3},
		{"Most requests a second, closed loop", "requests a second",
			func(t Trial) float64 { return t.MaxRPS }, noSpread, 0},
		{"Memory under load", "MiB",
			func(t Trial) float64 { return t.Memory / (1 << 20) }, noSpread, 0},
	} {

		bar := func(name string, t Trial, highlight bool) report.Bar {
			v, spread := c.value(t), c.spread(t)
			return report.Bar{Name: name, Value: v, Low: v * max(0, 1-spread), High: v * (1 + spread), Highlight: highlight}
		}

		bars := []report.Bar{bar(defaultsName, r.Defaults, false)}
		for _, t := range r.Trials {
			if t.Failed == "" {
				bars = append(bars, bar(barName(t), t, t.Kept))
			}
		}
		bars = append(bars, bar("all that was kept", r.Best, true))
		if r.DefaultsAgain != nil {
			bars = append(bars, bar("defaults, once more", *r.DefaultsAgain, false))
		}

		charts = append(charts, template.HTML(report.BarChart(c.title, c.unit, bars, c.budget)))
	}

	cores := report.Line{Name: "cores"}
	for _, c := range r.Capacities() {
		cores.X = append(cores.X, float64(c.Agents))
		cores.Y = append(cores.Y, c.Cores)
	}
	capacity := report.LineChart{Title: "Cores for agents of this kind", X: "agents", Y: "cores", LogX: true, LogY: true, Lines: []report.Line{cores}}
	return append(charts, template.HTML(capacity.SVG()))
}

// barName returns a short name for a trial, such as "commit_every 1ms".
func barName(t Trial) string {
	_, key, isKey := strings.Cut(t.Setting, ".")
	if !isKey {
		key = strings.Split(t.Setting, ",")[0]
	}
	text := strings.NewReplacer("GOGC=", "", "GOMEMLIMIT=", "").Replace(t.Value)
	if n, err := strconv.Atoi(t.Value); err == nil && n >= 1<<20 {
		text = fmt.Sprintf("%d MiB", n>>20)
	}
	return key + " " + text
}

var htmlPage = template.Must(template.New("page").Funcs(template.FuncMap{
	"ms":      formatMS,
	"mib":     func(bytes float64) string { return fmt.Sprintf("%.0f", bytes/(1<<20)) },
	"whole":   func(v float64) string { return fmt.Sprintf("%.0f", v) },
	"tenths":  func(v float64) string { return fmt.Sprintf("%.1f", v) },
	"percent": func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
	"cores":   formatCores,
	"gain":    func(g Gain) string { return g.summary() },
}).Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Byline: capacity</title>
<style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right}td{white-space:nowrap}td.t{white-space:normal}td:first-child,th:first-child,td.t{text-align:left}
tr.kept td{font-weight:bold}svg{max-width:100%;height:auto;margin:.5em 0}</style>
<h1>Capacity of Byline on this machine</h1>
<p>Goal: {{whole .R.Goal.RPS}} requests a second from {{.R.Goal.Agents}} agents with a p99 below {{.R.Goal.P99}}: <b>{{.Verdict}}</b>.</p>
<p>{{.R.Machine.CPU}}, {{.R.Machine.Cores}} cores, {{.R.Machine.Kernel}}, {{.R.Machine.Go}}; a durable write of 4 KiB takes {{tenths .SyncUS}} µs on {{.R.Machine.Disk}}.
{{.R.When.UTC.Format "2006-01-02 15:04 UTC"}}. The application ran on this machine and answered at once: add the time that a real one takes.</p>
<h2>What agents of this kind need</h2>
<table><tr><th>agents<th>requests a second<th>cores at {{whole .Utilization}} %<th>memory MiB</tr>
{{range .Capacities}}<tr{{if eq .Agents $.R.Goal.Agents}} class="kept"{{end}}><td>{{.Agents}}<td>{{whole .RPS}}<td>{{cores .Cores}}<td>{{mib .Memory}}</tr>
{{end}}</table>
<p>The row of {{.R.Goal.Agents}} agents was measured. The others are in proportion to it, and assume an application that keeps up.</p>
<h2>What was kept</h2>
{{if .R.Gains}}<table><tr><th>setting<th>value<th>gained<th>what it does</tr>
{{range .R.Gains}}<tr><td>{{.Setting}}<td class="t">{{.Value}}<td class="t">{{gain .}}<td class="t">{{.Why}}</tr>
{{end}}</table>{{else}}<p>Nothing gained more than {{whole .MinGain}} % and more than the trials vary by: the defaults stay.</p>{{end}}
{{if .R.NotTried}}<p>Not tried for lack of time: {{range $i, $v := .R.NotTried}}{{if $i}}, {{end}}{{$v}}{{end}}.</p>{{end}}
<h2>Everything that was tried</h2>
<table><tr><th>setting<th>value<th>µs of CPU a request<th>±<th>p50 ms<th>p99 ms<th>±<th>most requests a second<th>memory MiB<th>records a group</tr>
{{define "cells"}}<td>{{tenths .CPU}}<td>{{percent .CPUSpread}}<td>{{ms .P50}}<td>{{ms .P99}}<td>{{percent .P99Spread}}<td>{{whole .MaxRPS}}<td>{{mib .Memory}}<td>{{whole .Group}}{{end -}}
<tr><td>defaults<td>{{template "cells" .R.Defaults}}</tr>
{{range .R.Trials}}{{if .Failed}}<tr><td>{{.Setting}}<td class="t">{{.Value}}<td class="t" colspan="8">failed: {{.Failed}}</tr>
{{else}}<tr{{if .Kept}} class="kept"{{end}}><td>{{.Setting}}<td class="t">{{.Value}}{{template "cells" .}}</tr>
{{end}}{{end}}<tr class="kept"><td>all that was kept, once more<td>{{template "cells" .R.Best}}</tr>
{{with .R.DefaultsAgain}}<tr><td>defaults, once more<td>{{template "cells" .}}</tr>{{end}}</table>
<p>Each trial has a fresh server: one closed loop shows the most requests a second, then three open loops at the goal's rate show everything else. Figures are medians of the three; ± is half the
distance from the smallest to the largest. CPU time is that of the proxy. {{if .R.DefaultsAgain}}At the end the defaults cost {{whole .Drift}} % more or less than at the start: smaller differences may come from the machine.{{end}}</p>
{{range .Charts}}{{.}}
{{end}}</html>
`))
