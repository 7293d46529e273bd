package report

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

// wellFormed reads the picture as a browser's parser would.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestPictures(t *testing.T) {
	for name, svg := range map[string]string{
		"lines": Plot{Title: "a < b & c", X: "agents", Y: "µs", LogX: true, Budget: 30, Lines: []Line{
			{"byline", []float64{1, 10, 1000}, []float64{20, 21, 22}}, {"one point", []float64{10}, []float64{5}}}}.SVG(),
		"logarithms":   Plot{LogX: true, LogY: true, Lines: []Line{{"cores", []float64{1, 10, 1000}, []float64{0.004, 0.04, 4}}}}.SVG(),
		"no logarithm": Plot{LogY: true, Lines: []Line{{"cores", []float64{1, 10}, []float64{0, 0}}}}.SVG(),
		"nothing":      Plot{}.SVG(),
		"bars":         Bars("×", "× tunnel", []Bar{{Name: "tunnel", Value: 1}, {Name: "by<line", Value: 1.4, Low: 1.3, High: 1.6, Mark: true}}, 1.5),
		"no bars":      Bars("", "", nil, 0),
	} {
		wellFormed(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: a coordinate is no number:\n%s", name, svg)
		}
	}
}

func TestStepsCutAnAxisInFewParts(t *testing.T) {
	for _, top := range []float64{0.003, 0.7, 1, 1.99, 2, 4.9, 5, 9.99, 10, 73, 1234} {
		if parts := math.Ceil(top / niceStep(top)); parts < 2 || parts > 10 {
			t.Errorf("%v is cut in %v parts of %v", top, parts, niceStep(top))
		}
	}
}
