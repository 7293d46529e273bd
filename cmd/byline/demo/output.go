package demo

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// output writes the demonstration: in colour on a terminal, plain elsewhere. It keeps the
// first error of writing in err and writes nothing after that.
type output struct {
	w       io.Writer
	colour  bool
	section int // number of the last heading
	err     error
}

func newOutput(w io.Writer) *output {
	colour := cli.IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &output{w: w, colour: colour}
}

func (o *output) write(text string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, text)
	}
}

// Parameters of the SGR sequence (ECMA-48, section 8.3.117) for what they mean here.
const (
	bold  = "1"
	faint = "2"
	red   = "31" // what is wrong
	green = "32" // what is right
)

func (o *output) paint(code, text string) string {
	if !o.colour || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// writeHeading writes the numbered heading of the next section.
func (o *output) writeHeading(title string) {
	o.section++
	o.write("\n" + o.paint(bold, fmt.Sprintf("%d  %s", o.section, title)) + "\n\n")
}

// writeParagraph writes text for the reader.
func (o *output) writeParagraph(text string) { o.write(indent("   ", text)) }

// writeCommand writes a command as a person types it.
func (o *output) writeCommand(command string) { o.write(o.paint(bold, indent("   ", "$ "+command))) }

// writeOutput writes what a program wrote.
func (o *output) writeOutput(text, colour string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = cli.Printable(line)
		o.write("   | " + o.paint(colour, strings.TrimRight(line, " ")) + "\n")
	}
}

// writeConclusion writes what a section has shown.
func (o *output) writeConclusion(colour, text string) {
	o.write("\n" + o.paint(colour, indent("   ", text)))
}

func (o *output) writeBlankLine() { o.write("\n") }

// indent puts prefix in front of each line. Lines do not end in spaces.
func indent(prefix, text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight(prefix+line, " ") + "\n")
	}
	return b.String()
}
