package oplog

import (
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func init() {
	// Without this, zerolog writes plain text to standard error if a line cannot be
	// written.
	zerolog.ErrorHandler = func(error) {}
}

// Text is the format for people; see [IsJSON].
const Text = "text"

// IsJSON reports whether the log is written in JSON to w. format is log.format of the
// configuration, and empty if no configuration could be read: then people at a
// terminal get text.
func IsJSON(format string, w io.Writer) bool {
	if format == "" {
		return !cli.IsTerminal(w)
	}
	return format != Text
}

// Log is the operator's log.
type Log struct {
	// Limited is for what requests, applications and the machine cause, as often as
	// they like; see [Limiter].
	Limited zerolog.Logger
	// Whole is for what an operator causes: all of it is written.
	Whole zerolog.Logger

	limiter *Limiter
}

// New returns the log of a server, which is written to w in that format.
func New(format, level string, w io.Writer) *Log {
	isJSON := IsJSON(format, w)
	w = &wholeLines{out: w}
	if !isJSON {
		w = zerolog.ConsoleWriter{Out: w, NoColor: true, TimeFormat: time.RFC3339}
	}
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}

	limiter := NewLimiter(w)
	to := func(w io.Writer) zerolog.Logger {
		return zerolog.New(w).Level(l).With().Timestamp().Logger()
	}
	return &Log{Limited: to(limiter), Whole: to(w), limiter: limiter}
}

// Flush writes what is left at the end of the process.
func (l *Log) Flush() { l.limiter.Flush() }

// Failure writes why a server ended or was not started, with the remedy if one is
// known, as the last line of a log in JSON.
func Failure(w io.Writer, err error, hint string) {
	log := zerolog.New(w).With().Timestamp().Logger()
	e := log.Error()
	if hint != "" {
		e = e.Str("hint", hint)
	}
	e.Msg(strings.TrimSpace(err.Error()))
}

// Problems writes warnings and what keeps a server from starting to a log in JSON.
func Problems(w io.Writer, warnings, problems []string) {
	log := zerolog.New(w).With().Timestamp().Logger()
	for _, text := range warnings {
		log.Warn().Msg(text)
	}
	for _, line := range problems {
		log.Error().Str("problem", line).Msg("not started")
	}
}

// wholeLines writes lines whole: what a full disk did not take of a line is written
// before the next one.
type wholeLines struct {
	mu   sync.Mutex
	out  io.Writer
	rest []byte
}

// Write writes the rest of the line before, then the line. A line of which nothing
// was written is lost.
func (w *wholeLines) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 {
		n, err := w.out.Write(w.rest)
		w.rest = w.rest[n:]
		if len(w.rest) > 0 {
			return 0, err
		}
	}

	n, err := w.out.Write(line)
	if n > 0 && n < len(line) {
		w.rest = append(w.rest[:0:0], line[n:]...)
	}
	return n, err
}
