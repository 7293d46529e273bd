package sinks

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// collector is a sink that this file alone adds: it keeps what it is given.
type collector struct {
	url    string
	format string

	mu     *sync.Mutex
	bodies *[]string
	isDown *bool
}

func (s collector) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *s.isDown {
		return errors.New("the collector is down")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, b := range bodies {
		*s.bodies = append(*s.bodies, string(b))
	}
	return nil
}

func (s collector) Close() error { return nil }

// registerForTest registers a kind until the test ends.
func registerForTest(t *testing.T, name string, k kind) {
	t.Helper()
	before := maps.Clone(kinds)
	t.Cleanup(func() { kinds = before })
	register(name, k)
}

func TestASinkIsAddedByOneFile(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	var isDown bool
	registerForTest(t, "collector", kind{
		schemes: []string{"collect"},
		check: func(c *Config) []error {
			if !strings.HasSuffix(c.URL, "/topic") {
				return []error{errors.New("url: has no topic")}
			}
			return nil
		},
		open: func(c *Config, _ access) (Sink, error) {
			return collector{c.URL, c.Format, &mu, &bodies, &isDown}, nil
		},
	})

	if !slices.Contains(Kinds(), "collector") {
		t.Errorf("Kinds returned %v, want collector among them", Kinds())
	}
	c := Config{Name: "a", Kind: "collector", URL: "collect://host/other"}
	c.SetDefaults()
	if problems := c.Check(); len(problems) != 1 || problems[0].Error() != "url: has no topic" {
		t.Errorf("Check returned %v, want the problem that the kind found", problems)
	}

	testSink(t, sinkContract{
		config:   Config{Kind: "collector", URL: "collect://host/topic"},
		received: func(*testing.T) []string { return slices.Clone(bodies) },
		stop:     func() { isDown = true },
	})
}

func TestOpenRefusesFilesItCannotUse(t *testing.T) {
	for name, c := range map[string]Config{
		"a secret that others can access": {Kind: "http", URL: "https://x.example", SecretFile: writeOpenFile(t)},
		"an empty secret":                 {Kind: "http", URL: "https://x.example", SecretFile: writeFile(t, "s", " \n")},
		"a missing CA":                    {Kind: "http", URL: "https://x.example", CA: "/none"},
		"a CA that is not PEM":            {Kind: "http", URL: "https://x.example", CA: writeFile(t, "ca.pem", "hello")},
		"a missing client certificate":    {Kind: "http", URL: "https://x.example", ClientCert: "/none", ClientKey: "/none"},
		"half an S3 secret":               {Kind: "s3", URL: "https://x.example", Bucket: "b", SecretFile: writeFile(t, "s", "one")},
		"an unknown kind":                 {Kind: "kafka", URL: "https://x.example"},
	} {
		s, err := Open(c)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: Open returned no error", name)
		}
	}
}
