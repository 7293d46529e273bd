// Package xconnect enables extended CONNECT (RFC 8441) in golang.org/x/net/http2.
// That package offers no other switch than GODEBUG, which it reads once, when it is
// initialized.
//
// Go initializes packages in the order of their import paths as far as their
// imports allow (Go specification, "Program initialization"). This package imports
// only os, and its path sorts before golang.org/x/net/http2, so it is initialized
// first. Package agents imports both, is initialized after them, and calls Restore
// before a child process could inherit the variable.
package xconnect

import "os"

var before, wasSet = os.LookupEnv("GODEBUG")

func init() {
	value := "http2xconnect=1"
	if before != "" {
		value = before + "," + value
	}
	_ = os.Setenv("GODEBUG", value) // the only possible error is an invalid name
}

// Restore gives GODEBUG the value that it had when the process started.
func Restore() {
	if !wasSet {
		_ = os.Unsetenv("GODEBUG")
		return
	}
	_ = os.Setenv("GODEBUG", before)
}
