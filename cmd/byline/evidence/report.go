package evidence

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"n":     count,
	"n64":   func(n uint64, what string) string { return count(int(n), what) },
	"day":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
	"join":  func(all []string) string { return strings.Join(all, ", ") },
	"round": func(d time.Duration) string { return d.Round(time.Second).String() },
	"short": shortenDigest,
	"sub":   func(a, b int) int { return a - b },
	"card":  card,
}).Parse(reportText))

// shortenDigest returns the first digits of a digest or fingerprint.
func shortenDigest(s string) string {
	s = strings.TrimPrefix(s, "hmac-sha256:")
	s = strings.TrimPrefix(s, "sha256:")
	return fmt.Sprintf("%.12s", s)
}

// card is the figure of a card and what it counts, in the right number.
func card(n int, one, many string) cardData {
	if n == 1 {
		return cardData{n, one}
	}
	return cardData{n, many}
}

type cardData struct {
	N    int
	What string
}

// reportData is what the template shows.
type reportData struct {
	*Export
	Start, End time.Time
	Days       dayChart
	Actions    []bar
	Refused    []bar
	Browser    []bar // what browsers ask for without being told to
	Frameworks []framework
	Overdue    []string // adapters past their review date
}

// framework is a heading with its practices.
type framework struct {
	Name      string
	Practices []mappedPractice
}

// bar is one line of a horizontal bar chart. Width is in percent of the longest.
type bar struct {
	Label string
	N     int
	Width int
}

// maxBars bounds the bars of a chart of counts.
const maxBars = 15

// writeHTML writes the report, one page without references to other files.
func (e *Export) writeHTML(out io.Writer) error {
	data := reportData{
		Export:  e,
		Start:   e.start(),
		End:     e.end(),
		Days:    chartDays(e.Figures.Days),
		Actions: chartCounts(e.Figures.Actions),
		Refused: chartCounts(e.Figures.RefusedOfAgents),
		Browser: chartCounts(e.Figures.BrowserCalls),
	}

	for _, m := range e.mapPractices() {
		if last := len(data.Frameworks) - 1; last < 0 || data.Frameworks[last].Name != m.Framework {
			data.Frameworks = append(data.Frameworks, framework{Name: m.Framework})
		}
		f := &data.Frameworks[len(data.Frameworks)-1]
		f.Practices = append(f.Practices, m)
	}
	for _, a := range e.Adapters {
		if a.Overdue {
			data.Overdue = append(data.Overdue, fmt.Sprintf("%s (review was due %s, owner %s)", a.Name, a.ReviewBy, a.Owner))
		}
	}

	return reportTemplate.Execute(out, data)
}

// chartCounts returns the bars for the counts, the largest first. The smallest are
// summed up in one bar if there are more than maxBars.
func chartCounts(counts map[string]int) []bar {
	var bars []bar
	for label, n := range counts {
		bars = append(bars, bar{Label: label, N: n})
	}
	slices.SortFunc(bars, func(a, b bar) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Label, b.Label)) })

	if len(bars) > maxBars {
		rest := bar{Label: fmt.Sprintf("%d others", len(bars)-maxBars+1)}
		for _, b := range bars[maxBars-1:] {
			rest.N += b.N
		}
		bars = append(bars[:maxBars-1], rest)
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
