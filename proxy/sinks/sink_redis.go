package sinks

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisSink appends to a Redis stream, one entry a record with the fields id,
// kind and record. How durable that is, is Redis's appendfsync.
type redisSink struct {
	client *redis.Client
	stream string
	format string
}

func newRedis(c *Config, t *tls.Config, secret []string) (Sink, error) {
	opt, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if opt.TLSConfig != nil {
		t.ServerName = opt.TLSConfig.ServerName
		opt.TLSConfig = t
	}
	switch len(secret) {
	case 1:
		opt.Password = secret[0]
	case 2:
		opt.Username, opt.Password = secret[0], secret[1]
	}
	opt.PoolSize, opt.MaxRetries, opt.DialTimeout = 1, -1, 10*time.Second // the feed repeats
	return &redisSink{redis.NewClient(opt), c.Stream, c.Format}, nil
}

// Deliver adds all lines in one transaction: none or all of them are there.
func (s *redisSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatted(s.format, lines)
	if err != nil {
		return err
	}
	_, err = s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, line := range lines {
			e, err := parse(line)
			if err != nil {
				return err
			}
			p.XAdd(ctx, &redis.XAddArgs{Stream: s.stream, Values: []any{"id", e.ID, "kind", e.Kind, "record", bodies[i]}})
		}
		return nil
	})
	return err
}

// Close gives up the connection.
func (s *redisSink) Close() error { return s.client.Close() }
