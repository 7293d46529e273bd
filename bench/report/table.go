// Package report writes what a run found as Markdown.
package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Table is a Markdown table that is readable as text too: the first column
// stands at the left, figures at the right.
type Table struct {
	head []string
	rows [][]string
}

// NewTable names the columns.
func NewTable(columns ...string) *Table { return &Table{head: columns} }

// Add appends a row. Missing cells stay empty; a cell too many is a mistake of
// the caller and panics.
func (t *Table) Add(cells ...string) {
	if len(cells) > len(t.head) {
		panic(fmt.Sprintf("table: %d cells in %d columns", len(cells), len(t.head)))
	}
	row := make([]string, len(t.head))
	for i, c := range cells {
		row[i] = strings.NewReplacer("|", "\\|", "\n", " ").Replace(c)
	}
	t.rows = append(t.rows, row)
}

// WriteTo writes the table with an empty line after it.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c), 3)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i == 0 {
				b.WriteString("| " + c + pad + " |")
			} else {
				b.WriteString(" " + pad + c + " |")
			}
		}
		b.WriteByte('\n')
	}
	line(t.head)
	for i, n := range width {
		if i == 0 {
			b.WriteString("|" + strings.Repeat("-", n+2) + "|")
		} else {
			b.WriteString(strings.Repeat("-", n+1) + ":|")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		line(row)
	}
	b.WriteByte('\n')
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// figure writes a number with three significant digits and no exponent, from
// thousands on as a whole number; what is no number is a dash.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// part writes 0.123 as 12 %.
func part(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// brief is an error in a cell: its first line, and not more than fits there.
func brief(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if r := []rune(text); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return text
}
