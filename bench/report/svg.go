package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Plot is a picture that needs nothing but itself: lines over an axis, or
// bars. Colours are readable on white and on dark.
type Plot struct {
	Title  string
	X, Y   string // what the axes count
	LogX   bool   // sizes that grow tenfold
	LogY   bool   // likewise; values must be positive
	Lines  []Line
	Budget float64 // a dashed line across; 0: none
}

// Line is one series of points, by rising X.
type Line struct {
	Name string
	X, Y []float64
}

// Bar is one bar of a Bars picture.
type Bar struct {
	Name  string
	Value float64
	Low   float64 // spread, smallest and largest round; both 0: not drawn
	High  float64
	Mark  bool // the one that this is about
}

const (
	plotWidth, plotHeight                  = 640, 320
	marginLeft, marginRight                = 64, 150
	marginTop, marginBottom                = 36, 48
	fieldWidth, fieldHeight                = plotWidth - marginLeft - marginRight, plotHeight - marginTop - marginBottom
	ink, grid, font, paper                 = "#444", "#ccc", "font-family='sans-serif' font-size='12'", "#fff"
	barHeight, barGap, barLabel, barFigure = 18, 8, 170, 60
)

var colours = []string{"#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c"}

// SVG draws the lines.
func (p Plot) SVG() string {
	var s strings.Builder
	open(&s, plotWidth, plotHeight, p.Title)
	low, high := p.spanX()
	top := p.top()
	x := func(v float64) float64 {
		if p.LogX {
			v = math.Log10(v)
		}
		if high == low {
			return marginLeft + fieldWidth/2
		}
		return marginLeft + (v-low)/(high-low)*fieldWidth
	}
	y := func(v float64) float64 { return marginTop + fieldHeight - v/top*fieldHeight }
	ticks := p.ticksY(top)
	if p.LogY {
		least, most := math.Log10(ticks[0]), math.Log10(ticks[len(ticks)-1])
		y = func(v float64) float64 {
			return marginTop + fieldHeight - (max(math.Log10(v), least)-least)/(most-least)*fieldHeight
		}
	}
	for _, v := range ticks {
		fmt.Fprintf(&s, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='%s'/><text x='%d' y='%.1f' text-anchor='end' fill='%s'>%s</text>\n",
			marginLeft, marginLeft+fieldWidth, y(v), y(v), grid, marginLeft-6, y(v)+4, ink, tick(v))
	}
	for _, v := range p.ticksX() {
		fmt.Fprintf(&s, "<text x='%.1f' y='%d' text-anchor='middle' fill='%s'>%s</text>\n", x(v), marginTop+fieldHeight+18, ink, tick(v))
	}
	fmt.Fprintf(&s, "<text x='%d' y='%d' text-anchor='middle' fill='%s'>%s</text>\n", marginLeft+fieldWidth/2, plotHeight-8, ink, html.EscapeString(p.X))
	fmt.Fprintf(&s, "<text x='14' y='%d' text-anchor='middle' fill='%s' transform='rotate(-90 14 %d)'>%s</text>\n",
		marginTop+fieldHeight/2, ink, marginTop+fieldHeight/2, html.EscapeString(p.Y))
	if p.Budget > 0 {
		fmt.Fprintf(&s, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='%s' stroke-dasharray='5 4'/>\n", marginLeft, marginLeft+fieldWidth, y(p.Budget), y(p.Budget), ink)
	}
	for i, l := range p.Lines {
		colour := colours[i%len(colours)]
		var points strings.Builder
		for k := range l.X {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(l.X[k]), y(l.Y[k]))
			fmt.Fprintf(&s, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", x(l.X[k]), y(l.Y[k]), colour)
		}
		fmt.Fprintf(&s, "<polyline points='%s' fill='none' stroke='%s' stroke-width='2'/>\n", strings.TrimSpace(points.String()), colour)
		fmt.Fprintf(&s, "<text x='%d' y='%d' fill='%s'>%s</text>\n", marginLeft+fieldWidth+12, marginTop+14+i*18, colour, html.EscapeString(l.Name))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (p Plot) spanX() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range p.Lines {
		for _, v := range l.X {
			if p.LogX {
				v = math.Log10(v)
			}
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}

func (p Plot) top() float64 {
	top := p.Budget
	for _, l := range p.Lines {
		top = max(top, slices.Max(append([]float64{0}, l.Y...)))
	}
	if top <= 0 {
		return 1
	}
	return math.Ceil(top*1.05/niceStep(top)) * niceStep(top)
}

// ticksY are steps from 0, or powers of ten around all values.
func (p Plot) ticksY(top float64) (all []float64) {
	if !p.LogY {
		step := niceStep(top)
		for v := 0.0; v <= top+step/1e6; v += step {
			all = append(all, v)
		}
		return all
	}
	least, most := math.Inf(1), top
	for _, l := range p.Lines {
		for _, v := range l.Y {
			least = min(least, v)
		}
	}
	from := math.Floor(math.Log10(max(min(least, most/10), 1e-3)))
	for power := from; power == from || math.Pow(10, power-1) < most; power++ {
		all = append(all, math.Pow(10, power))
	}
	return all
}

func (p Plot) ticksX() (all []float64) {
	for _, l := range p.Lines {
		all = append(all, l.X...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for !p.LogX && len(all) > 8 { // every other one
		for i := 1; i < len(all); i++ {
			all = slices.Delete(all, i, i+1)
		}
	}
	return all
}

// niceStep is a tenth, fifth or half of a power of ten that cuts top in 4 to 10 parts.
func niceStep(top float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	switch parts := top / unit; {
	case parts < 2:
		return unit / 5
	case parts < 5:
		return unit / 2
	}
	return unit
}

func tick(v float64) string {
	switch {
	case v >= 1000 && math.Mod(v, 1000) == 0:
		return fmt.Sprintf("%.0fk", v/1000)
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimRight(fmt.Sprintf("%.3f", v), "0")
}

// Bars draws one bar for each value, with its spread, and a dashed line at budget.
func Bars(title, unit string, bars []Bar, budget float64) string {
	var s strings.Builder
	height := marginTop + len(bars)*(barHeight+barGap) + 30
	open(&s, plotWidth, height, title)
	top := budget
	for _, b := range bars {
		top = max(top, b.Value, b.High)
	}
	if top <= 0 {
		top = 1
	}
	wide := float64(plotWidth - barLabel - barFigure - 10)
	at := func(v float64) float64 { return barLabel + v/top*wide }
	for i, b := range bars {
		y, colour := marginTop+i*(barHeight+barGap), "#94a3b8"
		if b.Mark {
			colour = colours[0]
		}
		fmt.Fprintf(&s, "<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text><rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/><text x='%.1f' y='%d' fill='%s'>%s</text>\n",
			barLabel-8, y+13, ink, html.EscapeString(b.Name), barLabel, y, at(b.Value)-barLabel, barHeight, colour, at(max(b.Value, b.High))+6, y+13, ink, figure(b.Value))
		if b.High > b.Low {
			fmt.Fprintf(&s, "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='%s' stroke-width='2'/>\n", at(b.Low), at(b.High), y+barHeight/2, y+barHeight/2, ink)
		}
	}
	if budget > 0 {
		fmt.Fprintf(&s, "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='%s' stroke-dasharray='5 4'/><text x='%.1f' y='%d' text-anchor='middle' fill='%s'>budget %s</text>\n",
			at(budget), at(budget), marginTop-4, height-24, ink, at(budget), height-8, ink, figure(budget))
	}
	fmt.Fprintf(&s, "<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text></svg>\n", plotWidth-10, height-8, ink, html.EscapeString(unit))
	return s.String()
}

func open(s *strings.Builder, width, height int, title string) {
	fmt.Fprintf(s, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' %s>\n<rect width='%d' height='%d' fill='%s'/>\n<text x='10' y='20' font-size='14' fill='%s'>%s</text>\n",
		width, height, width, height, font, width, height, paper, ink, html.EscapeString(title))
}
