// Package sinks hands records to where others keep them: HTTP, syslog, OTLP, a
// Redis stream, S3 storage. Each sink is one file with one method,
// Deliver(ctx, lines), which returns nil once the destination has taken all of
// the lines. Who calls it, from which place and how often, is the audit room's.
package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// Config is one destination.
type Config struct {
	// Name is how metrics and the cursor call it: lower case letters, digits, -, _.
	// One that is changed begins at the log's beginning.
	Name string `yaml:"name"`
	// Kind is http, syslog, otlp, redis or s3.
	Kind string `yaml:"kind"`
	// URL is where to: https://… for http, otlp and s3, tls://host:6514 for syslog,
	// redis:// or rediss:// for redis.
	URL string `yaml:"url"`
	// Format is ocsf, for a SIEM that knows OCSF, or record (default), the records as
	// they lie in the log, which alone can be verified afterwards.
	Format string `yaml:"format"`
	// SecretFile holds what the destination asks for, mode 0600: a bearer token for
	// http and otlp, "user password" or a password for redis, "access-key
	// secret-key" for s3. Default none.
	SecretFile string `yaml:"secret_file"`
	// CA is a PEM file with authorities to trust in place of the system's.
	CA string `yaml:"ca"`
	// ClientCert and ClientKey are PEM files to show the destination, both or neither.
	ClientCert string `yaml:"client_cert"`
	// ClientKey is the key of ClientCert.
	ClientKey string `yaml:"client_key"`
	// Stream is the key of the Redis stream. Default byline.
	Stream string `yaml:"stream"`
	// Bucket is the S3 bucket.
	Bucket string `yaml:"bucket"`
	// Prefix is put before the names of S3 objects, like byline/eu-1/.
	Prefix string `yaml:"prefix"`
	// Region of the bucket. Default us-east-1.
	Region string `yaml:"region"`
	// RetainDays locks each S3 object for so many days in compliance mode: nobody
	// can change or delete it, its owner included. 0 locks nothing. The bucket must
	// have been made with object lock.
	RetainDays int `yaml:"retain_days"`
}

// Kinds are those that Open knows.
var Kinds = []string{"http", "otlp", "redis", "s3", "syslog"}

// Formats are those of [Config.Format].
var Formats = []string{"record", "ocsf"}

// SetDefaults fills what was left out.
func (c *Config) SetDefaults() {
	for _, d := range []struct {
		into  *string
		value string
	}{{&c.Format, "record"}, {&c.Stream, "byline"}, {&c.Region, "us-east-1"}} {
		if *d.into == "" {
			*d.into = d.value
		}
	}
}

// schemes are those that a kind can speak. Without TLS records, and the secret,
// cross the network readable: only the loopback may be spoken to so.
var schemes = map[string][]string{
	"http": {"https", "http"}, "otlp": {"https", "http"}, "s3": {"https", "http"}, "syslog": {"tls"}, "redis": {"rediss", "redis", "unix"},
}

// Check lists what is wrong, each beginning with its key; call it after
// SetDefaults.
func (c *Config) Check() (problems []error) {
	add := func(bad bool, format string, a ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, a...))
		}
	}
	add(c.Name == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "", "name: %q is no name of lower case letters, digits, - and _", c.Name)
	add(!slices.Contains(Kinds, c.Kind), "kind: %q is none of %s", c.Kind, strings.Join(Kinds, ", "))
	add(!slices.Contains(Formats, c.Format), "format: %q is none of %s", c.Format, strings.Join(Formats, ", "))
	add((c.ClientCert == "") != (c.ClientKey == ""), "client_cert: needs client_key, and the other way round")
	add(c.Kind == "s3" && c.Bucket == "", "bucket: is missing")
	add(c.Kind == "s3" && c.SecretFile == "", "secret_file: is missing; it holds the access key and the secret key")
	add(c.RetainDays < 0, "retain_days: must not be negative")
	add(c.RetainDays > 0 && c.Kind != "s3", "retain_days: only storage (kind s3) can lock what it has")
	u, err := url.Parse(c.URL)
	switch known := schemes[c.Kind]; {
	case known == nil:
	case err != nil || !slices.Contains(known, u.Scheme) || u.Host == "" && u.Scheme != "unix":
		add(true, "url: %q is no address of this kind; write it like %s://host", c.URL, known[0])
	case u.User != nil:
		add(true, "url: holds a name or a password; put them in secret_file")
	case (u.Scheme == "http" || u.Scheme == "redis") && !isLoopback(u.Hostname()):
		add(true, "url: %s:// to another machine would show it the records and the secret; use %s://", u.Scheme, known[0])
	}
	return problems
}

func isLoopback(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}

// Sink is a destination that is open. Close gives up what it holds.
type Sink interface {
	Deliver(ctx context.Context, lines [][]byte) error
	Close() error
}

// Open makes the sink that c describes, after SetDefaults and Check. It does
// not connect: a destination that is down is an error of Deliver.
func Open(c Config) (Sink, error) {
	t, err := c.tls()
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	secret, err := c.secret()
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	var s Sink
	switch c.Kind {
	case "http":
		s = newHTTP(&c, t, secret)
	case "otlp":
		s = newOTLP(&c, t, secret)
	case "syslog":
		s, err = newSyslog(&c, t)
	case "redis":
		s, err = newRedis(&c, t, secret)
	case "s3":
		s, err = newS3(&c, t, secret)
	default:
		err = fmt.Errorf("kind %q is none of %s", c.Kind, strings.Join(Kinds, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	return s, nil
}

func (c *Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
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

// secret reads the words of SecretFile, which only its owner may read.
func (c *Config) secret() ([]string, error) {
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
