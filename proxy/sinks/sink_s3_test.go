package sinks

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const s3Bucket = "audit"

// startS3 starts a real S3 server with a bucket that can lock objects.
func startS3(t *testing.T) (client *minio.Client, config Config, stop func()) {
	t.Helper()
	addr, _ := freeAddr(t)
	root := t.TempDir()
	objects, versions := filepath.Join(root, "objects"), filepath.Join(root, "versions")
	for _, dir := range []string{objects, versions} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stop = startProgram(t, addr, filepath.Join(cacheDir(), "bin", "versitygw"),
		"--port", addr, "--access", "writer", "--secret", "s3-secret-key", "posix", "--versioning-dir", versions, objects)

	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4("writer", "s3-secret-key", ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), s3Bucket, minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		t.Fatal(err)
	}
	return client, Config{
		Kind:       "s3",
		URL:        "http://" + addr,
		Bucket:     s3Bucket,
		Prefix:     "byline/",
		SecretFile: writeFile(t, "keys", "writer s3-secret-key"),
	}, stop
}

func readObject(t *testing.T, client *minio.Client, name, version string) string {
	t.Helper()
	object, err := client.GetObject(t.Context(), s3Bucket, name, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestS3Contract(t *testing.T) {
	client, config, stop := startS3(t)
	known := map[string]bool{} // versions that were listed before
	var bodies []string
	testSink(t, sinkContract{
		config: config,
		received: func(t *testing.T) []string {
			for o := range client.ListObjects(t.Context(), s3Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				id := o.Key + " " + o.VersionID
				if known[id] {
					continue
				}
				known[id] = true
				for line := range strings.Lines(readObject(t, client, o.Key, o.VersionID)) {
					bodies = append(bodies, strings.TrimSuffix(line, "\n"))
				}
			}
			return bodies
		},
		stop: stop,
	})
}

func TestS3LocksItsObjects(t *testing.T) {
	client, config, _ := startS3(t)
	config.RetainDays = 1
	deliver(t, openSink(t, config), testLines(100))

	const name = "byline/eu-1/2026/11/25/00000000000000000000-00000000000000000099.jsonl"
	want := string(bytes.Join(testLines(100), []byte("\n"))) + "\n"
	if got := readObject(t, client, name, ""); got != want {
		t.Errorf("the object has %d bytes, want the %d bytes of the records", len(got), len(want))
	}

	info, err := client.StatObject(t.Context(), s3Bucket, name, minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = client.RemoveObject(t.Context(), s3Bucket, name, minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true})
	if err == nil {
		t.Error("a locked version was deleted")
	}
}

func TestS3DeliversABatchAgainAsAnotherVersion(t *testing.T) {
	client, config, _ := startS3(t)
	s := openSink(t, config)
	for range 2 {
		deliver(t, s, testLines(2))
	}

	versions := 0
	for o := range client.ListObjects(t.Context(), s3Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		versions++
		if got := readObject(t, client, o.Key, o.VersionID); strings.Count(got, "\n") != 2 {
			t.Errorf("version %s of %s has %q, want 2 records", o.VersionID, o.Key, got)
		}
	}
	if versions != 2 {
		t.Errorf("%d versions, want 2", versions)
	}
}

// TestS3StoresSegments stores a segment twice, and one that does not have the digest
// that it should have.
func TestS3StoresSegments(t *testing.T) {
	client, config, _ := startS3(t)
	config.RetainDays = 1
	s := openSink(t, config)
	archive, ok := s.(Archive)
	if !ok {
		t.Fatalf("the s3 sink %T stores no segments", s)
	}

	const name, text = "eu-1/segments/seg-00000000000000000000.jsonl", "one\ntwo\n"
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	for range 2 {
		place, err := archive.Store(t.Context(), name, strings.NewReader(text), int64(len(text)), digest)
		if err != nil || place != s3Bucket+"/byline/"+name {
			t.Fatalf("Store returned %q, %v", place, err)
		}
	}
	if got := readObject(t, client, "byline/"+name, ""); got != text {
		t.Errorf("the object holds %q, want %q", got, text)
	}
	versions := 0
	for range client.ListObjects(t.Context(), s3Bucket, minio.ListObjectsOptions{Prefix: "byline/" + name, WithVersions: true}) {
		versions++
	}
	if versions != 1 {
		t.Errorf("the object has %d versions, want 1", versions)
	}

	if _, err := archive.Store(t.Context(), "other", strings.NewReader(text), int64(len(text)), strings.Repeat("0", 64)); err == nil {
		t.Error("Store returned no error for an object with another digest")
	}
}
