// Package protocols tests what the byline program carries between an agent and
// an application, with either of them speaking HTTP/1.1 or HTTP/2. It contains
// only tests.
//
// A test uses a matrix: one server, an application with an address for each
// protocol, and checks that run in each cell, a combination of the agent's and
// the application's protocol. All steps of a request apply: the agent sends a
// borrowed session, the application accepts only Byline's, and every request is
// on record before it arrives. When a test ends, the server is stopped, its
// record is verified and compared with the requests that the application
// received.
//
//	streams         events, long polls, slow readers, cancellation, half-closes
//	body_size       bodies of gigabytes within constant memory
//	http_semantics  100, 103, trailers, answers without a body, ranges, codings
//	websocket       WebSockets by upgrade and by extended CONNECT
//	grpc            calls and streams
//	tls             resumption, private authorities, client certificates
//	upstream_proxy  proxies between Byline and the application
//	addresses       IPv6, names with several addresses
//	timeouts        every timeout
//	limits          every other limit
package protocols
