// Package cli holds what the commands of byline share at the terminal: errors
// with their remedy, tables, JSON, times and progress. The head of
// cmd/byline/main.go states the rules that it serves.
package cli

import (
	"cmp"
	"errors"
	"fmt"
)

// Failure is the error of a command that ran and failed, or that was refused. Any
// other error of a command is reported as wrong usage.
type Failure struct {
	Err  error  // nil: nothing is written to standard error
	Hint string // the remedy; empty if none is known
	Code int    // exit code
}

// Error is the error without its remedy.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the error.
func (f *Failure) Unwrap() error { return f.Err }

// Failed returns a [Failure] with exit code 1. what names the part that failed and
// becomes the prefix of err. If err says that this user may not use a file, the
// hint is about that.
func Failed(what string, err error, hint string) error {
	hint = cmp.Or(PermissionHint(err), hint)
	return &Failure{Err: fmt.Errorf("%s: %w", what, err), Hint: hint, Code: 1}
}

// OutputFailed returns the failure of a write to standard output, or nil if err is nil.
func OutputFailed(err error) error {
	if err == nil {
		return nil
	}
	return Failed("output", err, "")
}

// HintOf returns the remedy that err carries, or "".
func HintOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Hint
	}
	return ""
}
