package report

import (
	"fmt"
	"html"
	"strings"
)

// What both kinds of charts have in common. The colors are readable on a light
// and on a dark page.
const (
	chartWidth, chartHeight = 640, 320
	marginTop, marginBottom = 36, 48

	textColor       = "#444"
	gridColor       = "#ccc"
	barColor        = "#94a3b8"
	backgroundColor = "#fff"
	font            = "font-family='sans-serif' font-size='12'"
)

// lineColors are the colors of lines; the first one also highlights a bar.
var lineColors = []string{"#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c"}

// writeSVGHead writes the beginning of an SVG document with its title.
func writeSVGHead(b *strings.Builder, width, height int, title string) {
	fmt.Fprintf(b, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' %s>\n<rect width='%d' height='%d' fill='%s'/>\n<text x='10' y='20' font-size='14' fill='%s'>%s</text>\n",
		width, height, width, height, font, width, height, backgroundColor, textColor, html.EscapeString(title))
}
