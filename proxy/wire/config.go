package wire

import (
	"errors"
	"time"
)

// Config holds the wire's patience and bounds, towards agents and towards the
// SaaS. A Config is read-only once a Server or Pool was made from it.
type Config struct {
	// HeadTimeout is how long an agent may take over a request's head, counted
	// from its first byte. Default 10s. Too long, and slow agents hold memory.
	HeadTimeout time.Duration `yaml:"head_timeout"`
	// IdleTimeout is how long a connection may lie unused between requests, to
	// agents and to the SaaS. Default 5m. Each idle tunnel costs some 24 KiB.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// BodyStall is how long one read of an agent's body, or one write to an
	// agent or to the SaaS, may wait. Default 30s.
	BodyStall time.Duration `yaml:"body_stall"`
	// AnswerStall is how long the SaaS may pause within an answer's body.
	// Default 5m: event streams are quiet for a while.
	AnswerStall time.Duration `yaml:"answer_stall"`
	// DialTimeout bounds the DNS lookup and the TCP connection. Default 10s.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// TLSTimeout bounds the handshake with the SaaS, and an agent's with Byline.
	// Default 10s.
	TLSTimeout time.Duration `yaml:"tls_timeout"`
	// ResponseHead is how long the SaaS may take to begin its answer once the
	// request is sent. Default 60s. Too short, and slow reports fail after the
	// SaaS has already acted.
	ResponseHead time.Duration `yaml:"response_head"`
	// ContinueWait is how long the SaaS may take to say 100 Continue before the
	// body is sent without it. Default 1s. Old applications never say it.
	ContinueWait time.Duration `yaml:"continue_wait"`
	// ExchangeTotal bounds a whole round trip with its body. Default 0: none.
	// It cuts event streams and large downloads too.
	ExchangeTotal time.Duration `yaml:"exchange_total"`
	// MaxHeadBytes is the largest head accepted from either side, in bytes.
	// Default 65536.
	MaxHeadBytes int `yaml:"max_head_bytes"`
	// MaxFields is how many header fields, and how many trailer fields, a
	// message may have. Default 200.
	MaxFields int `yaml:"max_fields"`
	// MaxStreams is how many requests an agent may have open on one HTTP/2
	// connection. Default 250.
	MaxStreams int `yaml:"max_streams"`
	// MaxTunnels is how many connections a task may have open to the proxy. Default
	// 1024. Beyond that one more is refused; other tasks are not concerned.
	MaxTunnels int `yaml:"max_tunnels"`
	// MaxConns is how many connections one lease may have to one authority.
	// Default 1024. Below the agent's concurrency, requests wait for each other.
	MaxConns int `yaml:"max_conns"`
	// KeepBody is the largest answer, in bytes, that is read whole before it is
	// passed on, so that its connection is free at once. Default 65536.
	KeepBody int `yaml:"keep_body"`
	// DrainBytes is how much of a body that nobody read is thrown away to keep
	// the connection. Default 262144. Beyond that it is closed.
	DrainBytes int `yaml:"drain_bytes"`
}

// SetDefaults fills what is zero.
func (c *Config) SetDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.HeadTimeout, 10 * time.Second}, {&c.IdleTimeout, 5 * time.Minute}, {&c.BodyStall, 30 * time.Second},
		{&c.AnswerStall, 5 * time.Minute}, {&c.DialTimeout, 10 * time.Second}, {&c.TLSTimeout, 10 * time.Second},
		{&c.ResponseHead, time.Minute}, {&c.ContinueWait, time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&c.MaxHeadBytes, 64 << 10}, {&c.MaxFields, 200}, {&c.MaxStreams, 250}, {&c.MaxTunnels, 1024}, {&c.MaxConns, 1024},
		{&c.KeepBody, 64 << 10}, {&c.DrainBytes, 256 << 10},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
}

// Check lists every problem; call it after SetDefaults.
func (c *Config) Check() []error {
	var all []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"head_timeout", c.HeadTimeout}, {"idle_timeout", c.IdleTimeout}, {"body_stall", c.BodyStall},
		{"answer_stall", c.AnswerStall}, {"dial_timeout", c.DialTimeout}, {"tls_timeout", c.TLSTimeout},
		{"response_head", c.ResponseHead}, {"continue_wait", c.ContinueWait},
	} {
		if d.value <= 0 {
			all = append(all, errors.New(d.key+": must be positive"))
		}
	}
	if c.ExchangeTotal < 0 {
		all = append(all, errors.New("exchange_total: must not be negative"))
	}
	for _, n := range []struct {
		key        string
		value, min int
	}{
		{"max_head_bytes", c.MaxHeadBytes, 4096}, {"max_fields", c.MaxFields, 8}, {"max_streams", c.MaxStreams, 1},
		{"max_tunnels", c.MaxTunnels, 1},
		{"max_conns", c.MaxConns, 1}, {"keep_body", c.KeepBody, 1}, {"drain_bytes", c.DrainBytes, 1},
	} {
		if n.value < n.min {
			all = append(all, errors.New(n.key+": is too small"))
		}
	}
	return all
}
