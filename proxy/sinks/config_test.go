package sinks

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeOpenFile writes a file that other users can read.
func writeOpenFile(t *testing.T) (path string) {
	t.Helper()
	path = writeFile(t, "secret", "x")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckReportsEachProblem(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"nothing", Config{}, "name:"},
		{"an unknown kind", Config{Name: "a", Kind: "kafka"}, `kind: "kafka" is not one of http`},
		{"plain HTTP to another machine", Config{Name: "a", Kind: "http", URL: "http://siem.acme.example"}, "url: http:// to another machine"},
		{"plain Redis to another machine", Config{Name: "a", Kind: "redis", URL: "redis://10.0.0.1:6379"}, "rediss://"},
		{"syslog without TLS", Config{Name: "a", Kind: "syslog", URL: "udp://siem:514"}, "write it like tls://host"},
		{"a password in the URL", Config{Name: "a", Kind: "redis", URL: "rediss://u:p@redis.acme.example"}, "put them in secret_file"},
		{"storage without a bucket", Config{Name: "a", Kind: "s3", URL: "https://s3.acme.example"}, "bucket: is missing"},
		{"storage without a secret", Config{Name: "a", Kind: "s3", URL: "https://s3.acme.example"}, "secret_file: is missing"},
		{"a lock of a sink that cannot lock", Config{Name: "a", Kind: "http", URL: "https://x.example", RetainDays: 3}, "retain_days: only storage (kind s3)"},
		{"a negative lock", Config{Name: "a", Kind: "s3", URL: "https://x.example", RetainDays: -1}, "retain_days: must not be negative"},
		{"half a client certificate", Config{Name: "a", Kind: "http", URL: "https://x.example", ClientCert: "x"}, "client_cert:"},
		{"an unknown format", Config{Name: "a", Kind: "http", URL: "https://x.example", Format: "cef"}, "format:"},
	} {
		c.config.SetDefaults()
		err := errors.Join(c.config.Check()...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "u:p@") {
			t.Errorf("%s: Check returned %v, want %q", c.name, err, c.want)
		}
	}
}
