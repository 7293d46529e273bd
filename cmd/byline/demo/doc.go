// Package demo has the two strangers that byline demo brings together: Tickets,
// an application of the old kind that knows people's logins alone, and a small
// agent that works in it with whatever session it was given.
package demo

// Host is the name under which the agent asks for Tickets.
const Host = "tickets.acme.example"
