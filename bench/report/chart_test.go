package report

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

// checkWellFormed parses the SVG as a browser does.
func checkWellFormed(t *testing.T, name, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, svg)
		}
	}
}

func TestChartsAreWellFormed(t *testing.T) {
	for name, svg := range map[string]string{
		"lines": LineChart{Title: "a < b & c", X: "agents", Y: "µs", LogX: true, Budget: 30, Lines: []Line{
			{"byline", []float64{1, 10, 1000}, []float64{20, 21, 22}},
			{"one point", []float64{10}, []float64{5}},
		}}.SVG(),
		"logarithmic axes":            LineChart{LogX: true, LogY: true, Lines: []Line{{"cores", []float64{1, 10, 1000}, []float64{0.004, 0.04, 4}}}}.SVG(),
		"zeros on a logarithmic axis": LineChart{LogY: true, Lines: []Line{{"cores", []float64{1, 10}, []float64{0, 0}}}}.SVG(),
		"no lines":                    LineChart{}.SVG(),
		"bars":                        BarChart("×", "× tunnel", []Bar{{Name: "tunnel", Value: 1}, {Name: "by<line", Value: 1.4, Low: 1.3, High: 1.6, Highlight: true}}, 1.5),
		"no bars":                     BarChart("", "", nil, 0),
	} {
		checkWellFormed(t, name, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: a coordinate is not a number:\n%s", name, svg)
		}
	}
}

func TestAnAxisHasFewTicks(t *testing.T) {
	for _, top := range []float64{0.003, 0.7, 1, 1.99, 2, 4.9, 5, 9.99, 10, 73, 1234} {
		interval := tickInterval(top)
		if n := math.Ceil(top / interval); n < 2 || n > 10 {
			t.Errorf("an axis up to %v has %v intervals of %v, want 2 to 10", top, n, interval)
		}
	}
}
