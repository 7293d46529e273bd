// Package xconnect turns on extended CONNECT (RFC 8441) in golang.org/x/net/http2,
// which reads GODEBUG once, when it is initialized, and offers no other switch.
//
// Packages are initialized in the order of their import paths, as far as their
// imports allow (Go specification, "Program initialization"). This one imports os
// alone and sorts before the library, so it comes first; wire, which imports both,
// comes last and puts the variable back before any other process could inherit it.
package xconnect

import "os"

var before, had = os.LookupEnv("GODEBUG")

func init() {
	value := "http2xconnect=1"
	if before != "" {
		value = before + "," + value
	}
	_ = os.Setenv("GODEBUG", value) // fails only for a name that cannot be set
}

// Restore puts GODEBUG back.
func Restore() {
	if !had {
		_ = os.Unsetenv("GODEBUG")
		return
	}
	_ = os.Setenv("GODEBUG", before)
}
