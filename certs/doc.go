// Package certs implements the interception authority: a root certificate that
// agents trust, an issuing authority that can sign only the hosts named by the
// adapters and the configuration (I9), and the short-lived leaf certificates
// that Byline presents inside tunnels.
//
// The root signs only issuing authorities, so its key can be kept offline. The
// names that an issuing authority may sign are part of its certificate, as
// critical name constraints (RFC 5280, Section 4.2.1.10). Agents enforce them
// when they verify a chain, and this package enforces them before it signs.
package certs
