package demo

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// stage is where the demonstration is told: in colour on a terminal, plain
// elsewhere. Its first failed write is kept in err.
type stage struct {
	w      io.Writer
	colour bool
	number int
	err    error
}

func newStage(w io.Writer) *stage {
	f, ok := w.(*os.File)
	return &stage{w: w, colour: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s *stage) write(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
}

// The colours of ECMA-48 that are used, for what they mean here.
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

func (s *stage) paint(code, text string) string {
	if !s.colour || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *stage) section(title string) {
	s.number++
	s.write("\n" + s.paint(bold, fmt.Sprintf("%d  %s", s.number, title)) + "\n\n")
}

// say writes a paragraph.
func (s *stage) say(text string) { s.write(indented("   ", text)) }

// typed shows a command as a person types it.
func (s *stage) typed(command string) { s.write(s.paint(bold, indented("   ", "$ "+command))) }

func (s *stage) gap() { s.write("\n") }

// shown is what a program wrote.
func (s *stage) shown(text, colour string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = cli.Printable(line)
		s.write("   | " + s.paint(colour, strings.TrimRight(line, " ")) + "\n")
	}
}

// notice points at what the section was about.
func (s *stage) notice(colour, text string) {
	s.write("\n" + s.paint(colour, indented("   ", text)))
}

func indented(by, text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight(by+line, " ") + "\n")
	}
	return b.String()
}
