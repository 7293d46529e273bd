// Package cli holds what every command of byline shares at the terminal: errors
// with their remedy, tables, JSON, times and progress.
package cli

import (
	"errors"
	"fmt"
)

// Failure is an error with its remedy and exit code.
type Failure struct {
	Err  error
	Hint string
	Code int
}

// Error is the error without its remedy.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the error.
func (f *Failure) Unwrap() error { return f.Err }

// Failed marks an error as one of a command that ran.
func Failed(what string, err error, hint string) error {
	return &Failure{fmt.Errorf("%s: %w", what, err), hint, 1}
}

// HintOf is the remedy that an error carries along.
func HintOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Hint
	}
	return ""
}

// OutputFailed is an error of writing to standard output.
func OutputFailed(err error) error {
	if err == nil {
		return nil
	}
	return Failed("output", fmt.Errorf("write: %w", err), "")
}
