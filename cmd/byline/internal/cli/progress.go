package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressDelay keeps the bar away from work that takes no noticeable time.
const progressDelay = 500 * time.Millisecond

// Progress returns a function that shows a bar of bytes on w, and one that removes
// the bar. The bar also goes when the total is reached. step is nil if w is not a
// terminal: nobody would see it.
func Progress(w io.Writer, what string) (step func(done, total int64), remove func()) {
	if !IsTerminal(w) {
		return nil, func() {}
	}

	began := time.Now()
	var bar *progressbar.ProgressBar

	// A bar that cannot be drawn is no reason to stop the work.
	step = func(done, total int64) {
		if bar == nil {
			if time.Since(began) < progressDelay {
				return
			}
			bar = progressbar.NewOptions64(total,
				progressbar.OptionSetWriter(w),
				progressbar.OptionSetDescription(what),
				progressbar.OptionShowBytes(true),
				progressbar.OptionSetWidth(30),
				progressbar.OptionClearOnFinish(),
				progressbar.OptionThrottle(100*time.Millisecond))
		}
		_ = bar.Set64(done)
	}
	remove = func() {
		if bar != nil {
			_ = bar.Clear()
		}
	}
	return step, remove
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
