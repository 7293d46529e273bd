package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// LineChart is a chart of lines over an x axis.
type LineChart struct {
	Title      string
	X, Y       string // titles of the axes
	LogX, LogY bool   // logarithmic axes; all values must then be positive
	Lines      []Line
	Budget     float64 // a dashed horizontal line; 0: none
}

// Line is one line of a chart. X is in ascending order.
type Line struct {
	Name string
	X, Y []float64
}

const (
	marginLeft, marginRight = 64, 150
	plotWidth               = chartWidth - marginLeft - marginRight
	plotHeight              = chartHeight - marginTop - marginBottom
)

// SVG returns the chart as an SVG document that refers to no other file.
func (c LineChart) SVG() string {
	var b strings.Builder
	writeSVGHead(&b, chartWidth, chartHeight, c.Title)
	top := c.top()
	ticks := c.ticksY(top)
	x := c.scaleX()
	y := c.scaleY(top, ticks)

	for _, v := range ticks {
		fmt.Fprintf(&b, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='%s'/><text x='%d' y='%.1f' text-anchor='end' fill='%s'>%s</text>\n",
			marginLeft, marginLeft+plotWidth, y(v), y(v), gridColor, marginLeft-6, y(v)+4, textColor, formatTick(v))
	}
	for _, v := range c.ticksX() {
		fmt.Fprintf(&b, "<text x='%.1f' y='%d' text-anchor='middle' fill='%s'>%s</text>\n", x(v), marginTop+plotHeight+18, textColor, formatTick(v))
	}
	fmt.Fprintf(&b, "<text x='%d' y='%d' text-anchor='middle' fill='%s'>%s</text>\n", marginLeft+plotWidth/2, chartHeight-8, textColor, html.EscapeString(c.X))
	fmt.Fprintf(&b, "<text x='14' y='%d' text-anchor='middle' fill='%s' transform='rotate(-90 14 %d)'>%s</text>\n",
		marginTop+plotHeight/2, textColor, marginTop+plotHeight/2, html.EscapeString(c.Y))
	if c.Budget > 0 {
		fmt.Fprintf(&b, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='%s' stroke-dasharray='5 4'/>\n",
			marginLeft, marginLeft+plotWidth, y(c.Budget), y(c.Budget), textColor)
	}

	for i, line := range c.Lines {
		color := lineColors[i%len(lineColors)]
		var points strings.Builder
		for k := range line.X {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(line.X[k]), y(line.Y[k]))
			fmt.Fprintf(&b, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", x(line.X[k]), y(line.Y[k]), color)
		}
		fmt.Fprintf(&b, "<polyline points='%s' fill='none' stroke='%s' stroke-width='2'/>\n", strings.TrimSpace(points.String()), color)
		fmt.Fprintf(&b, "<text x='%d' y='%d' fill='%s'>%s</text>\n", marginLeft+plotWidth+12, marginTop+14+i*18, color, html.EscapeString(line.Name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// scaleX returns the function from a value to its horizontal position.
func (c LineChart) scaleX() func(float64) float64 {
	value := func(v float64) float64 {
		if c.LogX {
			return math.Log10(v)
		}
		return v
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, line := range c.Lines {
		for _, v := range line.X {
			low = min(low, value(v))
			high = max(high, value(v))
		}
	}
	return func(v float64) float64 {
		if high == low { // a single point is drawn in the middle
			return marginLeft + plotWidth/2
		}
		return marginLeft + (value(v)-low)/(high-low)*plotWidth
	}
}

// scaleY returns the function from a value to its vertical position. A
// logarithmic axis reaches from the first tick to the last, a linear one from 0
// to top.
func (c LineChart) scaleY(top float64, ticks []float64) func(float64) float64 {
	if !c.LogY {
		return func(v float64) float64 { return marginTop + plotHeight - v/top*plotHeight }
	}
	low, high := math.Log10(ticks[0]), math.Log10(ticks[len(ticks)-1])
	return func(v float64) float64 {
		return marginTop + plotHeight - (max(math.Log10(v), low)-low)/(high-low)*plotHeight
	}
}

// top returns the upper end of a linear y axis: a multiple of the tick interval
// above all values.
func (c LineChart) top() float64 {
	top := c.Budget
	for _, line := range c.Lines {
		top = max(top, slices.Max(append([]float64{0}, line.Y...)))
	}
	if top <= 0 {
		return 1
	}
	return math.Ceil(top*1.05/tickInterval(top)) * tickInterval(top)
}

// ticksY returns equidistant ticks from 0 on, or for a logarithmic axis the powers
// of ten around all values.
func (c LineChart) ticksY(top float64) []float64 {
	var ticks []float64
	if !c.LogY {
		interval := tickInterval(top)
		for v := 0.0; v <= top+interval/1e6; v += interval {
			ticks = append(ticks, v)
		}
		return ticks
	}

	least := math.Inf(1)
	for _, line := range c.Lines {
		for _, v := range line.Y {
			least = min(least, v)
		}
	}
	first := math.Floor(math.Log10(max(min(least, top/10), 1e-3)))
	for power := first; power == first || math.Pow(10, power-1) < top; power++ {
		ticks = append(ticks, math.Pow(10, power))
	}
	return ticks
}

// ticksX returns the x values of all points. On a linear axis every other one is
// dropped until at most eight are left.
func (c LineChart) ticksX() []float64 {
	var ticks []float64
	for _, line := range c.Lines {
		ticks = append(ticks, line.X...)
	}
	slices.Sort(ticks)
	ticks = slices.Compact(ticks)
	for !c.LogX && len(ticks) > 8 {
		for i := 1; i < len(ticks); i++ {
			ticks = slices.Delete(ticks, i, i+1)
		}
	}
	return ticks
}

// tickInterval returns a fifth, a half or the whole of a power of ten, so that an
// axis up to top has 4 to 10 intervals.
func tickInterval(top float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	switch n := top / unit; {
	case n < 2:
		return unit / 5
	case n < 5:
		return unit / 2
	}
	return unit
}

func formatTick(v float64) string {
	switch {
	case v >= 1000 && math.Mod(v, 1000) == 0:
		return fmt.Sprintf("%.0fk", v/1000)
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimRight(fmt.Sprintf("%.3f", v), "0")
}
