package report

import (
	"fmt"
	"html"
	"strings"
)

// Bar is one bar of a chart.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64 // the range that is drawn as a line on the bar; equal: none
	Highlight bool
}

const (
	barHeight, barGap = 18, 8
	barLabelWidth     = 170 // left of the bars, for names
	barFigureWidth    = 60  // right of the bars, for values
)

// BarChart returns a chart with horizontal bars as an SVG document that refers to
// no other file. budget is drawn as a dashed line; 0: none.
func BarChart(title, unit string, bars []Bar, budget float64) string {
	var b strings.Builder
	height := marginTop + len(bars)*(barHeight+barGap) + 30
	writeSVGHead(&b, chartWidth, height, title)
	highest := budget
	for _, bar := range bars {
		highest = max(highest, bar.Value, bar.High)
	}
	if highest <= 0 {
		highest = 1
	}
	width := float64(chartWidth - barLabelWidth - barFigureWidth - 10)
	x := func(v float64) float64 { return barLabelWidth + v/highest*width }

	for i, bar := range bars {
		y := marginTop + i*(barHeight+barGap)
		color := barColor
		if bar.Highlight {
			color = lineColors[0]
		}
		fmt.Fprintf(&b, "<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text><rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/><text x='%.1f' y='%d' fill='%s'>%s</text>\n",
			barLabelWidth-8, y+13, textColor, html.EscapeString(bar.Name),
			barLabelWidth, y, x(bar.Value)-barLabelWidth, barHeight, color,
			x(max(bar.Value, bar.High))+6, y+13, textColor, formatFigure(bar.Value))
		if bar.High > bar.Low {
			fmt.Fprintf(&b, "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='%s' stroke-width='2'/>\n", x(bar.Low), x(bar.High), y+barHeight/2, y+barHeight/2, textColor)
		}
	}
	if budget > 0 {
		fmt.Fprintf(&b, "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='%s' stroke-dasharray='5 4'/><text x='%.1f' y='%d' text-anchor='middle' fill='%s'>budget %s</text>\n",
			x(budget), x(budget), marginTop-4, height-24, textColor, x(budget), height-8, textColor, formatFigure(budget))
	}
	fmt.Fprintf(&b, "<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text></svg>\n", chartWidth-10, height-8, textColor, html.EscapeString(unit))
	return b.String()
}
