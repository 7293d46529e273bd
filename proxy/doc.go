// Package proxy is the corridor of Byline: it takes an agent's request through
// every step between the agent and the application, in one order that no
// configuration can change. Read exchange.go first; each line of its walk is
// one step, and each step is one jump away.
//
// The packages below this one, and adapters and certs beside it, are rooms: a
// value goes in, a value comes out, and no room knows another. The corridor
// carries the values between them.
package proxy
