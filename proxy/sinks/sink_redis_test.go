package sinks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
)

// program starts a real receiver and waits until it listens. Missing programs
// fail where CI or BYLINE_E2E asks for everything, and skip elsewhere.
func program(t *testing.T, addr, path string, args ...string) {
	t.Helper()
	found, err := exec.LookPath(path)
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("BYLINE_E2E") == "require" {
			t.Fatalf("%s is missing: cmd/byline/e2e/install.sh installs it", path)
		}
		t.Skipf("%s is missing: cmd/byline/e2e/install.sh installs it", path)
	}
	c := exec.Command(found, args...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen on %s:\n%s", path, addr, said.Bytes())
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRedisHasEveryRecord(t *testing.T) {
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	s := open(t, Config{Kind: "redis", URL: "redis://" + addr, Stream: "audit", SecretFile: file(t, "password", "redis-pw")})
	if err := s.Deliver(context.Background(), lines(1)); err == nil {
		t.Error("delivered to nobody")
	}
	program(t, addr, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", "redis-pw")
	deliver(t, s, lines(500))
	deliver(t, s, lines(2))
	client := redis.NewClient(&redis.Options{Addr: addr, Password: "redis-pw"})
	defer client.Close()
	got, err := client.XRange(context.Background(), "audit", "-", "+").Result()
	if err != nil || len(got) != 502 {
		t.Fatalf("%d entries: %v", len(got), err)
	}
	if got[499].Values["id"] != "r_499" || got[499].Values["record"] != string(lines(500)[499]) || got[499].Values["kind"] != "intent" {
		t.Errorf("%v", got[499])
	}
}

// authority writes a CA and a certificate for 127.0.0.1 as PEM files.
func authority(t *testing.T) (ca, cert, key string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &signer.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return file(t, "ca.pem", text), file(t, "cert.pem", text), file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

// TestSyslogArrivesAtRsyslog: over TLS, every message, with its parts where
// RFC 5424 has them.
func TestSyslogArrivesAtRsyslog(t *testing.T) {
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	ca, cert, key := authority(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "out.log")
	conf := filepath.Join(dir, "rsyslog.conf")
	err := os.WriteFile(conf, fmt.Appendf(nil, `global(workDirectory=%q defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q maxMessageSize="256k")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port=%q address="127.0.0.1")
template(name="parts" type="string" string="%%pri%%|%%app-name%%|%%msgid%%|%%structured-data%%|%%msg%%\n")
action(type="omfile" file=%q template="parts")
`, dir, ca, cert, key, port, out), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	program(t, addr, "/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	s := open(t, Config{Kind: "syslog", URL: "tls://" + addr, CA: ca})
	deliver(t, s, lines(500))
	var text string
	for end := time.Now().Add(10 * time.Second); strings.Count(text, "\n") < 500 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(out)
		text = string(b)
	}
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	got = got[max(0, len(got)-500):] // rsyslogd begins with words of its own
	if len(got) != 500 {
		t.Fatalf("%d messages:\n%.2000s", len(got), text)
	}
	want := `110|byline|intent|[byline@32473 id="r_7" seq="7" agent="agent/triage" sponsor="alice@acme.example" task="t_1" action="page.edit"]|` + string(lines(8)[7])
	if strings.ReplaceAll(got[7], "| {", "|{") != want {
		t.Errorf("got  %s\nwant %s", got[7], want)
	}
}

// TestS3LocksWhatItHas: an object that cannot be deleted before its time, by a
// real S3 server with object lock.
func TestS3LocksWhatItHas(t *testing.T) {
	addr := freeAddr(t)
	gateway := filepath.Join(cache(), "bin", "versitygw")
	root := t.TempDir()
	for _, dir := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program(t, addr, gateway, "--port", addr, "--access", "writer", "--secret", "s3-secret-key", "posix", "--versioning-dir", filepath.Join(root, "versions"), filepath.Join(root, "objects"))
	ctx := context.Background()
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4("writer", "s3-secret-key", ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(ctx, "audit", minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Kind: "s3", URL: "http://" + addr, Bucket: "audit", Prefix: "byline/", RetainDays: 1, SecretFile: file(t, "keys", "writer s3-secret-key")})
	deliver(t, s, lines(100))
	const name = "byline/eu-1/2026/11/25/00000000000000000000-00000000000000000099.jsonl"
	object, err := client.GetObject(ctx, "audit", name, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(object)
	if err != nil || string(body) != string(bytes.Join(lines(100), []byte("\n")))+"\n" {
		t.Errorf("%d bytes came back: %v", len(body), err)
	}
	info, err := object.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.RemoveObject(ctx, "audit", name, minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}); err == nil {
		t.Error("a locked version was deleted")
	}
}

func cache() string {
	if dir := os.Getenv("BYLINE_E2E_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return os.TempDir()
	}
	return filepath.Join(dir, "byline-e2e")
}
