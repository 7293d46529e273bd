// Package certs is the interception authority: a root that agents trust, an
// issuing authority that can sign only the names an adapter names (I9), and
// the short-lived leaves that tunnels show.
//
// The root signs nothing but issuing authorities, so its key may be kept
// offline. What limits an issuing authority is in its certificate, as critical
// name constraints (RFC 5280 section 4.2.1.10), and is checked by the agents
// as well as here.
package certs
