package evidence

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed report.html.tmpl
var reportText string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"n": plural, "day": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
	"join": func(all []string) string { return strings.Join(all, ", ") }, "round": func(d time.Duration) string { return d.Round(time.Second).String() },
	"short": func(s string) string {
		return fmt.Sprintf("%.12s", strings.TrimPrefix(strings.TrimPrefix(s, "hmac-sha256:"), "sha256:"))
	},
}).Parse(reportText))

// page is what the template shows.
type page struct {
	*Export
	Start, End time.Time
	Days       daysChart
	Actions    []bar
	Refused    []bar
	Frameworks []framework
	Overdue    []string
}

type framework struct {
	Name      string
	Practices []mapped
}

// bar is one line of a horizontal chart; Width is in percent of the longest.
type bar struct {
	Label string
	N     int
	Width int
}

// daysChart is requests and refusals by day, in the units of its view box.
type daysChart struct {
	Columns     []column
	Width       int
	Most        int
	First, Last string
}

type column struct {
	Day                         string
	X, Y, H, RefusedY, RefusedH int
	Requests, Refusals          int
}

const (
	chartHeight = 120
	columnWidth = 14
	mostBars    = 15
)

func (e *Export) html(out io.Writer) error {
	p := page{Export: e, Start: e.start(), End: e.end(), Days: chartOf(e.Figures.Days), Actions: barsOf(e.Figures.Actions), Refused: barsOf(e.Figures.Refused)}
	for _, m := range e.practices() {
		if last := len(p.Frameworks) - 1; last < 0 || p.Frameworks[last].Name != m.Framework {
			p.Frameworks = append(p.Frameworks, framework{Name: m.Framework})
		}
		f := &p.Frameworks[len(p.Frameworks)-1]
		f.Practices = append(f.Practices, m)
	}
	for _, a := range e.Adapters {
		if a.Overdue {
			p.Overdue = append(p.Overdue, fmt.Sprintf("%s (review was due %s, owner %s)", a.Name, a.ReviewBy, a.Owner))
		}
	}
	return reportPage.Execute(out, p)
}

func barsOf(counts map[string]int) (bars []bar) {
	for label := range maps.Keys(counts) {
		bars = append(bars, bar{Label: label, N: counts[label]})
	}
	slices.SortFunc(bars, func(a, b bar) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Label, b.Label)) })
	if len(bars) > mostBars {
		rest := bar{Label: fmt.Sprintf("%d others", len(bars)-mostBars+1)}
		for _, b := range bars[mostBars-1:] {
			rest.N += b.N
		}
		bars = append(bars[:mostBars-1], rest)
	}
	most := 1
	for _, b := range bars {
		most = max(most, b.N)
	}
	for i := range bars {
		bars[i].Width = max(1, bars[i].N*100/most)
	}
	return bars
}

func chartOf(days []Day) (c daysChart) {
	for _, d := range days {
		c.Most = max(c.Most, d.Requests+d.Refusals)
	}
	if c.Most == 0 {
		return daysChart{}
	}
	c.First, c.Last = days[0].Day, days[len(days)-1].Day
	for i, d := range days {
		h, r := d.Requests*chartHeight/c.Most, d.Refusals*chartHeight/c.Most
		c.Columns = append(c.Columns, column{Day: d.Day, X: i * columnWidth, Y: chartHeight - h, H: h, RefusedY: chartHeight - h - r, RefusedH: r, Requests: d.Requests, Refusals: d.Refusals})
	}
	c.Width = max(20*columnWidth, len(days)*columnWidth)
	return c
}
