// Package sinks delivers audit records to where others keep them: HTTP, syslog,
// OTLP, a Redis stream, S3 storage.
//
// Each kind of sink is one file of this package: it implements [Sink] and
// registers itself with register. Package audit decides when a sink is called,
// from which record on, and how often a delivery is tried again.
package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// Sink is an open destination. Each implementation passes testSink in
// contract_test.go.
type Sink interface {
	// Deliver sends the lines, which are records as they stand in the log, in
	// order. It returns nil once the destination has taken all of them, and an
	// error if it may lack any: then the same lines are delivered again, so that
	// the destination gets each record at least once. It returns soon after ctx
	// ends. One goroutine at a time calls it, with at least one line.
	Deliver(ctx context.Context, lines [][]byte) error
	// Close releases connections. No Deliver is in progress.
	Close() error
}

// Archive is a sink that also stores whole segments of the log.
type Archive interface {
	Sink

	// Store stores size bytes of in, which have that SHA-256 in hex, as one object
	// whose name ends with name. It returns where that is, for people to read. When
	// it returns nil, the destination has the object, and Store has read it back
	// and compared it.
	Store(ctx context.Context, name string, in io.ReaderAt, size int64, sha256 string) (place string, err error)
}

// kind is one kind of sink.
type kind struct {
	// schemes are those of its URLs, the recommended one first.
	schemes []string
	// canLock says that RetainDays applies.
	canLock bool
	// check returns problems of the kind's own keys, each beginning with its
	// key. It may be nil.
	check func(c *Config) []error
	// open makes the sink without connecting. c passed Check.
	open func(c *Config, a access) (Sink, error)
}

// access is what the files that a Config names hold.
type access struct {
	tls    *tls.Config // belongs to the sink, which may change it
	secret []string    // the words of SecretFile
}

var kinds = map[string]kind{}

// register adds a kind of sink. It is called from init functions only.
func register(name string, k kind) {
	if _, ok := kinds[name]; ok {
		panic("sinks: two kinds are called " + name)
	}
	kinds[name] = k
}

// Kinds returns the values that [Config.Kind] may have, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

func lockingKinds() (names []string) {
	for _, name := range Kinds() {
		if kinds[name].canLock {
			names = append(names, name)
		}
	}
	return names
}

// Open opens the sink that c describes, after SetDefaults and Check. It does not
// connect: if the destination is down, Deliver fails.
func Open(c Config) (Sink, error) {
	s, err := open(&c)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	return s, nil
}

func open(c *Config) (Sink, error) {
	k, ok := kinds[c.Kind]
	if !ok {
		return nil, fmt.Errorf("kind %q is not one of %s", c.Kind, strings.Join(Kinds(), ", "))
	}

	var a access
	var err error
	a.tls, err = readTLS(c)
	if err != nil {
		return nil, err
	}
	a.secret, err = readSecret(c)
	if err != nil {
		return nil, err
	}
	return k.open(c, a)
}

func readTLS(c *Config) (*tls.Config, error) {
	t := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}

	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", c.CA)
		}
	}

	if c.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client_cert: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// readSecret returns the words of SecretFile, or nil if none is named.
func readSecret(c *Config) ([]string, error) {
	if c.SecretFile == "" {
		return nil, nil
	}
	text, err := durable.ReadPrivate(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("secret_file: %w", err)
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return nil, errors.New("secret_file: is empty")
	}
	return words, nil
}
