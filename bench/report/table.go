package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a Markdown table that is also readable as text: the first column is
// aligned to the left, all others to the right.
type Table struct {
	head []string
	rows [][]string
}

// NewTable returns a table with the given columns and no rows.
func NewTable(columns ...string) *Table { return &Table{head: columns} }

// Add appends a row. Missing cells are empty. Add panics if there are more cells
// than columns.
func (t *Table) Add(cells ...string) {
	if len(cells) > len(t.head) {
		panic(fmt.Sprintf("table: %d cells in %d columns", len(cells), len(t.head)))
	}
	row := make([]string, len(t.head))
	for i, cell := range cells {
		row[i] = strings.NewReplacer("|", "\\|", "\n", " ").Replace(cell)
	}
	t.rows = append(t.rows, row)
}

// WriteTo writes the table, followed by an empty line.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	widths := t.widths()
	var b strings.Builder
	writeRow := func(row []string) {
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + padding + " |")
			} else {
				b.WriteString(" " + padding + cell + " |")
			}
		}
		b.WriteByte('\n')
	}

	writeRow(t.head)
	for i, width := range widths {
		if i == 0 {
			b.WriteString("|" + strings.Repeat("-", width+2) + "|")
		} else {
			b.WriteString(strings.Repeat("-", width+1) + ":|")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		writeRow(row)
	}
	b.WriteByte('\n')
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// widths returns the width of each column in characters, at least three.
func (t *Table) widths() []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	return widths
}
