// Package proxy runs Byline's request pipeline: it takes an agent's request
// through every step between the agent and the application, in one order that
// no configuration can change. Read exchange.go first. Each line of its walk is
// one step, and each step lives in the file of its own name.
//
// The packages below this one, and adapters and certs next to it, get values
// and return values, and do not import each other. This package carries the
// values between them.
package proxy
