package main

import "github.com/byline-proxy/byline/cmd/byline/demo"

// installation is a whole installation in a temporary folder, whose commands are
// this program, with the means of tests to change it.
type installation struct{ *demo.Installation }

func newInstallation(dir, program string, app *demo.Tickets) *installation {
	return &installation{&demo.Installation{Dir: dir, Program: program, App: app}}
}
