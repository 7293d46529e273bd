package wire

import (
	"errors"
	"fmt"
	"time"
)

// minHeldBytes is what a few ordinary requests need at a time.
const minHeldBytes = 4 << 20

// Config holds the timeouts and limits of connections to agents and to
// applications. It must not change after a server or a pool was made from it.
type Config struct {
	// HeadTimeout is how long an agent may take to send a request's head, counted
	// from its first byte. Default 10s. A long timeout lets slow agents hold memory.
	HeadTimeout time.Duration `yaml:"head_timeout"`
	// IdleTimeout is how long a connection to an agent or to an application may
	// stay idle between requests. Default 5m. An idle tunnel costs about 24 KiB.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// BodyStall is how long a single read of an agent's body, or a single write to
	// an agent or to an application, may block. Default 30s.
	BodyStall time.Duration `yaml:"body_stall"`
	// AnswerStall is how long an application may pause within a response body.
	// Default 5m, because event streams pause.
	AnswerStall time.Duration `yaml:"answer_stall"`
	// DialTimeout is how long the DNS lookup and the TCP connection may take
	// together. Default 10s.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// TLSTimeout is how long a TLS handshake with an application or with an agent
	// may take. Default 10s.
	TLSTimeout time.Duration `yaml:"tls_timeout"`
	// ResponseHead is how long an application may take to begin its response after
	// the request was sent. Default 60s. If it is too short, slow requests fail
	// although the application has carried them out.
	ResponseHead time.Duration `yaml:"response_head"`
	// ContinueWait is how long to wait for an application's 100 Continue before the
	// body is sent without it. Default 1s. Old applications never send one.
	ContinueWait time.Duration `yaml:"continue_wait"`
	// ExchangeTotal is how long a round trip with its bodies may take. Default 0,
	// which means no limit. A limit also ends event streams and large downloads.
	ExchangeTotal time.Duration `yaml:"exchange_total"`
	// MaxHeadBytes is the largest head accepted from an agent or an application, in
	// bytes. Default 65536.
	MaxHeadBytes int `yaml:"max_head_bytes"`
	// MaxFields is the largest number of header fields in a message, and of trailer
	// fields. Default 200.
	MaxFields int `yaml:"max_fields"`
	// MaxStreams is how many requests an agent may have open on one HTTP/2
	// connection. Default 250.
	MaxStreams int `yaml:"max_streams"`
	// MaxTunnels is how many connections a task may have open to the proxy. Default
	// 1024. Further connections of that task are refused.
	MaxTunnels int `yaml:"max_tunnels"`
	// MaxConns is how many connections a lease may have to one authority. Default
	// 1024. If an agent sends more requests at a time, they wait for each other.
	MaxConns int `yaml:"max_conns"`
	// KeepBody is the largest response body, in bytes, that is read completely
	// before it is passed on, so that its connection is free at once. Default 65536.
	KeepBody int `yaml:"keep_body"`
	// DrainBytes is how many unread bytes of a body are discarded to keep its
	// connection usable. Default 262144. With more, the connection is closed.
	DrainBytes int `yaml:"drain_bytes"`
	// MaxReadBody is how many bytes of a request's body are read and held if an
	// adapter names the action by the body. Default 4194304. The files of a multipart
	// form do not count. Requests with more are refused.
	MaxReadBody int `yaml:"max_read_body"`
	// MaxSpooledFiles is how many bytes of files a task may keep in data_dir while the
	// fields after them, in multipart forms, are not known yet. Default 1073741824. All
	// tasks together may keep four times as much. Forms whose deciding fields come
	// first are streamed and do not count.
	MaxSpooledFiles int64 `yaml:"max_spooled_files"`
	// MaxHeldBytes is how many bytes all tasks together may make the server hold:
	// bodies that are read to classify requests, heads, and what is buffered of
	// answers. Requests beyond it wait, for at most 10s. Default 0: a quarter of the
	// memory of the machine or of its control group, at least 64 MiB.
	MaxHeldBytes int `yaml:"max_held_bytes"`
	// MaxTaskHeldBytes is how many of them one task may hold. Default 0: an eighth of
	// max_held_bytes, at least 32 MiB. A single request that needs more has all of
	// it to itself.
	MaxTaskHeldBytes int `yaml:"max_task_held_bytes"`
	// MaxMessage is the largest WebSocket message, in bytes. Default 4194304. Each
	// message is held until it is whole, because it is read before it is passed on. A
	// longer one closes its WebSocket with status 1009.
	MaxMessage int `yaml:"max_message"`
}

// SetDefaults replaces every zero value that has a default.
func (c *Config) SetDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.HeadTimeout, 10 * time.Second},
		{&c.IdleTimeout, 5 * time.Minute},
		{&c.BodyStall, 30 * time.Second},
		{&c.AnswerStall, 5 * time.Minute},
		{&c.DialTimeout, 10 * time.Second},
		{&c.TLSTimeout, 10 * time.Second},
		{&c.ResponseHead, time.Minute},
		{&c.ContinueWait, time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}

	for _, n := range []struct {
		field *int
		value int
	}{
		{&c.MaxHeadBytes, 64 << 10},
		{&c.MaxFields, 200},
		{&c.MaxStreams, 250},
		{&c.MaxTunnels, 1024},
		{&c.MaxConns, 1024},
		{&c.KeepBody, 64 << 10},
		{&c.DrainBytes, 256 << 10},
		{&c.MaxReadBody, 4 << 20},
		{&c.MaxMessage, 4 << 20},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	if c.MaxSpooledFiles == 0 {
		c.MaxSpooledFiles = 1 << 30
	}
}

// Check returns every problem of c, each prefixed with its key. Call it after
// SetDefaults.
func (c *Config) Check() []error {
	var problems []error

	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"head_timeout", c.HeadTimeout},
		{"idle_timeout", c.IdleTimeout},
		{"body_stall", c.BodyStall},
		{"answer_stall", c.AnswerStall},
		{"dial_timeout", c.DialTimeout},
		{"tls_timeout", c.TLSTimeout},
		{"response_head", c.ResponseHead},
		{"continue_wait", c.ContinueWait},
	} {
		if d.value <= 0 {
			problems = append(problems, errors.New(d.key+": must be positive"))
		}
	}
	if c.ExchangeTotal < 0 {
		problems = append(problems, errors.New("exchange_total: must not be negative"))
	}

	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_held_bytes", c.MaxHeldBytes},
		{"max_task_held_bytes", c.MaxTaskHeldBytes},
	} {
		if n.value != 0 && n.value < minHeldBytes {
			problems = append(problems, fmt.Errorf("%s: is too small, the minimum is %d; 0 stands for the default", n.key, minHeldBytes))
		}
	}
	for _, n := range []struct {
		key        string
		value, min int
	}{
		{"max_head_bytes", c.MaxHeadBytes, 4096},
		{"max_fields", c.MaxFields, 8},
		{"max_streams", c.MaxStreams, 1},
		{"max_tunnels", c.MaxTunnels, 1},
		{"max_conns", c.MaxConns, 1},
		{"keep_body", c.KeepBody, 1},
		{"drain_bytes", c.DrainBytes, 1},
		{"max_read_body", c.MaxReadBody, 4096},
		{"max_message", c.MaxMessage, 125},
	} {
		if n.value < n.min {
			problems = append(problems, fmt.Errorf("%s: is too small, the minimum is %d", n.key, n.min))
		}
	}
	return problems
}
