// Package demo is the demonstration that byline demo shows: Tickets, an application of
// the old kind that knows only people's logins; an agent that works in it with whatever
// session it is given; an installation of Byline in a temporary folder; and the scenes
// that bring them together.
//
// Tests of the command line use Tickets and the installation, too.
package demo

// Host is the name under which the agent asks for Tickets.
const Host = "tickets.acme.example"
