// Package protocols shows what the built program carries between an agent and an
// application, with either end speaking HTTP/1.1 or HTTP/2. It holds tests alone.
//
// Every test is about a matrix: one server, an application with an address for
// each protocol, and promises that are kept in each cell of agent's protocol and
// application's. The whole walk is between them: the agent has borrowed a session,
// the application takes no other than Byline's, and every request of the agent is
// on record before it arrives. When a test ends, the server is stopped and its
// record is verified and held against what the application saw.
//
//	streams   events, long polls, slow readers, ends and half ends from either side
//	sizes     bodies of gigabytes in the memory of a small one
//	messages  100, 103, trailers, answers without a body, ranges, codings
//	sockets   WebSockets by upgrade and by extended CONNECT
//	grpc      calls and streams
//	tls       resumption, private authorities, certificates of ours
//	ways      proxies towards the application, IPv6, several addresses
//	timeouts  every wait that has a bound
//	limits    everything else that has one
package protocols
