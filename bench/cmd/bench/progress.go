package main

import (
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// newProgress returns a function to be called before each of the given number of
// steps. On a terminal it draws a bar, elsewhere it writes a line.
func newProgress(steps int) func(step string) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		n := 0
		return func(step string) {
			n++
			fmt.Fprintf(os.Stderr, "%d/%d %s\n", n, steps, step)
		}
	}

	bar := progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(),
		progressbar.OptionFullWidth())
	done := -1 // the step that is about to begin is not done
	return func(step string) {
		done++
		bar.Describe(fmt.Sprintf("%-36s", step))
		_ = bar.Set(done) // the run goes on even if the bar cannot be drawn
	}
}
