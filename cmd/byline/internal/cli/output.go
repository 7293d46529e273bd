package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// JSONFlag adds the flag --json.
func JSONFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "write JSON")
}

// Print writes a command's result to its standard output: v as JSON if asJSON,
// otherwise what text writes. The error is a [Failure].
func Print(c *cobra.Command, asJSON bool, v any, text func(io.Writer) error) error {
	if asJSON {
		return OutputFailed(WriteJSON(c.OutOrStdout(), v))
	}
	return OutputFailed(text(c.OutOrStdout()))
}

// WriteJSON writes v indented, for people and jq alike.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Table writes rows below a heading, in columns as wide as they need to be. Cells
// are made [Printable]. Lines do not end in spaces, also if the last cells are empty.
func Table(w io.Writer, heading []string, rows [][]string) error {
	var aligned bytes.Buffer
	t := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)

	for _, row := range append([][]string{heading}, rows...) {
		for i, cell := range row {
			if i > 0 {
				_, _ = io.WriteString(t, "\t")
			}
			_, _ = io.WriteString(t, Printable(cell))
		}
		_, _ = io.WriteString(t, "\n")
	}

	_ = t.Flush() // a buffer takes everything

	var lines bytes.Buffer
	for line := range bytes.Lines(aligned.Bytes()) {
		lines.Write(bytes.TrimRight(line, " \n"))
		lines.WriteByte('\n')
	}
	_, err := w.Write(lines.Bytes())
	return err
}
