package evidence

import (
	"strconv"
	"time"
)

// dayChart is a chart of requests and refusals by day, in units of its view box. It has
// no columns if there were none.
type dayChart struct {
	Columns       []column
	Lines         []gridLine // of the axis of counts, the lowest first
	Ticks         []tick     // of the axis of days
	Width, Height int        // of the view box
	Left, Bottom  int        // where the axes are
	Most          int        // requests and refusals of the busiest day
}

// column is one day: refusals stand on top of requests.
type column struct {
	Day                string
	Requests, Refusals int
	X, Width           int
	Y, H               int
	RefusedY, RefusedH int
}

// gridLine is a count on the vertical axis.
type gridLine struct {
	Y     int
	Label string
}

// tick is a day on the horizontal axis.
type tick struct {
	X      int
	Anchor string // of its text: start, middle or end
	Label  string
}

// Measures of a dayChart.
const (
	chartWidth  = 720
	chartTop    = 10
	chartBottom = 150 // of the columns
	chartHeight = chartBottom + 24
	chartLeft   = 48
	maxColumn   = 28
	maxDays     = 366 // that the chart shows, the last ones
)

// chartDays draws the days from the first to the last one. Days without records have no
// column and take their room.
func chartDays(days []Day) dayChart {
	c := dayChart{Width: chartWidth, Height: chartHeight, Left: chartLeft, Bottom: chartBottom}
	for _, d := range days {
		c.Most = max(c.Most, d.Requests+d.Refusals)
	}
	if c.Most == 0 {
		return dayChart{}
	}
	first, errFirst := time.Parse(time.DateOnly, days[0].Day)
	last, errLast := time.Parse(time.DateOnly, days[len(days)-1].Day)
	if errFirst != nil || errLast != nil {
		return dayChart{} // days that were counted have the form of a date
	}

	const day = 24 * time.Hour
	n := int(last.Sub(first)/day) + 1
	if n > maxDays {
		first = last.Add(-(maxDays - 1) * day)
		n = maxDays
	}
	top := roundUp(c.Most)
	height := func(count int) int {
		h := count * (chartBottom - chartTop) / top
		if count > 0 {
			h = max(h, 1) // a day with one refusal among thousands shows it
		}
		return h
	}
	x := func(i int) int { return chartLeft + 4 + i*(chartWidth-chartLeft-8)/n }

	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d.Day)
		i := int(at.Sub(first) / day)
		if err != nil || at.Before(first) {
			continue
		}
		col := column{
			Day:      d.Day,
			Requests: d.Requests,
			Refusals: d.Refusals,
			X:        x(i),
			Width:    max(1, min(maxColumn, x(i+1)-x(i)-1)),
			H:        height(d.Requests),
			RefusedH: height(d.Refusals),
		}
		col.Y = chartBottom - col.H
		col.RefusedY = col.Y - col.RefusedH
		c.Columns = append(c.Columns, col)
	}

	for _, part := range []int{0, 1, 2} {
		count := top * part / 2
		c.Lines = append(c.Lines, gridLine{chartBottom - height(count), strconv.Itoa(count)})
	}
	c.Ticks = dayTicks(first, n, x)
	return c
}

// dayTicks returns the first and the last of n days, and one between them if there is
// room.
func dayTicks(first time.Time, n int, x func(int) int) []tick {
	label := func(i int) string { return first.AddDate(0, 0, i).Format(time.DateOnly) }
	ticks := []tick{{x(0), "start", label(0)}}
	if n > 8 {
		ticks = append(ticks, tick{(x(n/2) + x(n/2+1)) / 2, "middle", label(n / 2)})
	}
	if n > 1 {
		ticks = append(ticks, tick{x(n), "end", label(n - 1)})
	}
	return ticks
}

// roundUp returns the next number of one digit and zeros that is even, so that the middle
// of the axis is a whole number.
func roundUp(n int) int {
	unit := 1
	for n > 10*unit {
		unit *= 10
	}
	top := (n + unit - 1) / unit * unit
	if top%2 != 0 {
		top += unit
	}
	return max(top, 2)
}
