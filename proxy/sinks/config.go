package sinks

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Config is one destination.
type Config struct {
	// Name names the sink in metrics and in its cursor: lower case letters, digits,
	// - and _. Under a new name the sink gets all records from the beginning of the
	// log.
	Name string `yaml:"name"`
	// Kind is http, syslog, otlp, redis or s3.
	Kind string `yaml:"kind"`
	// URL is the address: https://… for http, otlp and s3, tls://host:6514 for
	// syslog, redis:// or rediss:// for redis.
	URL string `yaml:"url"`
	// Format is record (default), the records as they stand in the log, or ocsf, for
	// a SIEM that knows OCSF. Only records can be verified afterwards.
	Format string `yaml:"format"`
	// SecretFile holds the credentials for the destination, with mode 0600: a bearer
	// token for http and otlp, "user password" or a password for redis, "access-key
	// secret-key" for s3. Default none.
	SecretFile string `yaml:"secret_file"`
	// CA is a PEM file with authorities to trust instead of the system's.
	CA string `yaml:"ca"`
	// ClientCert is a PEM file with the certificate that the destination asks for. It
	// needs client_key. Default none.
	ClientCert string `yaml:"client_cert"`
	// ClientKey is a PEM file with the key of client_cert.
	ClientKey string `yaml:"client_key"`
	// Stream is the key of the Redis stream. Default byline.
	Stream string `yaml:"stream"`
	// Bucket is the S3 bucket.
	Bucket string `yaml:"bucket"`
	// Prefix begins the names of S3 objects, like byline/eu-1/.
	Prefix string `yaml:"prefix"`
	// Region is the bucket's. Default us-east-1.
	Region string `yaml:"region"`
	// RetainDays locks each S3 object for that many days in compliance mode: nobody,
	// including its owner, can change or delete it. 0 locks nothing. The bucket must
	// have object lock.
	RetainDays int `yaml:"retain_days"`
}

// The values of [Config.Format].
const (
	formatRecord = "record"
	formatOCSF   = "ocsf"
)

// Formats are the values that [Config.Format] may have.
var Formats = []string{formatRecord, formatOCSF}

// SetDefaults fills the fields that are zero.
func (c *Config) SetDefaults() {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&c.Format, formatRecord},
		{&c.Stream, "byline"},
		{&c.Region, "us-east-1"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

const nameLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// Check returns every problem, each beginning with its key. Call it after
// SetDefaults.
func (c *Config) Check() (problems []error) {
	add := func(bad bool, format string, a ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, a...))
		}
	}

	add(c.Name == "" || strings.Trim(c.Name, nameLetters) != "",
		"name: %q is not a name of lower case letters, digits, - and _", c.Name)
	k, ok := kinds[c.Kind]
	add(!ok, "kind: %q is not one of %s", c.Kind, strings.Join(Kinds(), ", "))
	add(!slices.Contains(Formats, c.Format), "format: %q is not one of %s", c.Format, strings.Join(Formats, ", "))
	add((c.ClientCert == "") != (c.ClientKey == ""), "client_cert: needs client_key, and the other way round")
	add(c.RetainDays < 0, "retain_days: must not be negative")
	add(c.RetainDays > 0 && !k.canLock, "retain_days: only storage (kind %s) can lock its objects", strings.Join(lockingKinds(), ", "))

	if !ok {
		return problems
	}
	if k.check != nil {
		problems = append(problems, k.check(c)...)
	}
	if err := checkURL(c.URL, k.schemes); err != nil {
		problems = append(problems, fmt.Errorf("url: %w", err))
	}
	return problems
}

// checkURL checks a destination against the schemes that its kind can speak. The
// first scheme is the one to recommend.
func checkURL(text string, schemes []string) error {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" && u.Scheme != "unix" {
		return fmt.Errorf("%q is not an address of this kind; write it like %s://host", text, schemes[0])
	}
	if u.User != nil {
		return errors.New("holds a name or a password; put them in secret_file")
	}

	// Without TLS the records and the secret cross the network readable.
	isPlain := u.Scheme == "http" || u.Scheme == "redis"
	if isPlain && !isLoopback(u.Hostname()) {
		return fmt.Errorf("%s:// to another machine would show it the records and the secret; use %s://", u.Scheme, schemes[0])
	}
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}
