package admin

// NameQuestion is the body of POST /v1/tasks/{id}/names: a question for a host, asked by a
// program whose network Byline alone answers.
type NameQuestion struct {
	Name  string `json:"name"`            // empty asks only for ports
	Quiet bool   `json:"quiet,omitempty"` // a name that leads nowhere is not put on record
}

// NameAnswer says where names lead at the moment.
type NameAnswer struct {
	Known bool  `json:"known"` // an adapter or pass_through names the host
	Ports []int `json:"ports"` // at which hosts are reached
}

// Attempts is the body of POST /v1/tasks/{id}/attempts.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
}

// Attempt is what a program tried without Byline, and what was refused.
type Attempt struct {
	Protocol string `json:"protocol"`
	To       string `json:"to"` // ADDRESS:PORT, a name or a path
	Count    int    `json:"count"`
}

// The values of [Attempt.Protocol].
const (
	ProtocolTCP  = "tcp"
	ProtocolUDP  = "udp"
	ProtocolDNS  = "dns"  // a question for a name that leads nowhere
	ProtocolUnix = "unix" // a socket outside
)
