package sinks

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register("redis", kind{
		schemes: []string{"rediss", "redis", "unix"},
		open:    openRedis,
	})
}

// redisSink appends to a Redis stream: one entry for each record, with the
// fields id, kind and record. Redis's appendfsync decides how durable it is.
type redisSink struct {
	client *redis.Client
	stream string
	format string
}

func openRedis(c *Config, a access) (Sink, error) {
	opt, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if opt.TLSConfig != nil {
		a.tls.ServerName = opt.TLSConfig.ServerName
		opt.TLSConfig = a.tls
	}

	switch len(a.secret) {
	case 1:
		opt.Password = a.secret[0]
	case 2:
		opt.Username, opt.Password = a.secret[0], a.secret[1]
	}
	opt.PoolSize = 1
	opt.MaxRetries = -1 // none: the caller of Deliver tries again
	opt.DialTimeout = 10 * time.Second
	return &redisSink{redis.NewClient(opt), c.Stream, c.Format}, nil
}

// Deliver implements [Sink] with one transaction, which adds all lines or none.
func (s *redisSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}

	_, err = s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, line := range lines {
			e, err := parseEvent(line)
			if err != nil {
				return err
			}
			p.XAdd(ctx, &redis.XAddArgs{
				Stream: s.stream,
				Values: []any{"id", e.ID, "kind", e.Kind, "record", bodies[i]},
			})
		}
		return nil
	})
	return err
}

// Close implements [Sink].
func (s *redisSink) Close() error { return s.client.Close() }
