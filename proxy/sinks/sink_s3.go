package sinks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func init() {
	register("s3", kind{
		schemes: []string{"https", "http"},
		canLock: true,
		check:   checkS3,
		open:    openS3,
	})
}

// s3Sink puts each batch into one object, whose name has the instance, the day
// and the sequence numbers, and locks the object if retain is set.
type s3Sink struct {
	client *minio.Client
	bucket string
	prefix string
	format string
	retain time.Duration // 0: objects are not locked
}

func checkS3(c *Config) (problems []error) {
	if c.Bucket == "" {
		problems = append(problems, errors.New("bucket: is missing"))
	}
	if c.SecretFile == "" {
		problems = append(problems, errors.New("secret_file: is missing; it holds the access key and the secret key"))
	}
	return problems
}

func openS3(c *Config, a access) (Sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if len(a.secret) != 2 {
		return nil, errors.New("secret_file: must hold the access key and the secret key, with a space between them")
	}

	client, err := minio.New(u.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(a.secret[0], a.secret[1], ""),
		Secure:     u.Scheme == "https",
		Region:     c.Region,
		Transport:  &http.Transport{TLSClientConfig: a.tls, IdleConnTimeout: time.Minute},
		MaxRetries: 1,
	})
	if err != nil {
		return nil, err
	}
	return &s3Sink{
		client: client,
		bucket: c.Bucket,
		prefix: c.Prefix,
		format: c.Format,
		retain: time.Duration(c.RetainDays) * 24 * time.Hour,
	}, nil
}

// Deliver implements [Sink] with one object. The same batch has the same name:
// if it is delivered again, a bucket that keeps versions has another version of
// the object.
func (s *s3Sink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}
	first, err := parseEvent(lines[0])
	if err != nil {
		return err
	}
	last, err := parseEvent(lines[len(lines)-1])
	if err != nil {
		return err
	}

	opt := s.putOptions()
	body := append(bytes.Join(bodies, []byte("\n")), '\n')
	_, err = s.client.PutObject(ctx, s.bucket, s.prefix+objectName(first, last), bytes.NewReader(body), int64(len(body)), opt)
	return err
}

// putOptions are those of every object: locked if retain is set.
func (s *s3Sink) putOptions() minio.PutObjectOptions {
	opt := minio.PutObjectOptions{
		ContentType:      "application/x-ndjson",
		SendContentMd5:   true, // S3 requires it for objects that are locked
		DisableMultipart: true,
	}
	if s.retain > 0 {
		opt.Mode = minio.Compliance
		opt.RetainUntilDate = time.Now().Add(s.retain).UTC()
	}
	return opt
}

// Store implements [Archive]. If the object is there already with the same content, it
// is not stored again.
func (s *s3Sink) Store(ctx context.Context, name string, in io.ReaderAt, size int64, digest string) (string, error) {
	key := s.prefix + name
	place := s.bucket + "/" + key
	if got, err := s.digestObject(ctx, key); err == nil && got == digest {
		return place, nil
	}

	opt := s.putOptions()
	_, err := s.client.PutObject(ctx, s.bucket, key, io.NewSectionReader(in, 0, size), size, opt)
	if err != nil {
		return "", err
	}

	got, err := s.digestObject(ctx, key)
	if err != nil {
		return "", fmt.Errorf("read back %s: %w", place, err)
	}
	if got != digest {
		return "", fmt.Errorf("%s differs from the segment: its SHA-256 is %s, want %s", place, got, digest)
	}
	return place, nil
}

// digestObject returns the SHA-256 of an object's content in hex.
func (s *s3Sink) digestObject(ctx context.Context, key string) (string, error) {
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return "", err
	}
	defer object.Close()

	sum := sha256.New()
	_, err = io.Copy(sum, object)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// objectName names the object of a batch so that names sort as records do.
func objectName(first, last *event) string {
	day := first.Time.UTC().Format("2006/01/02")
	return fmt.Sprintf("%s/%s/%020d-%020d.jsonl", url.PathEscape(first.Instance), day, first.Seq, last.Seq)
}

// Close implements [Sink]. Idle connections time out.
func (s *s3Sink) Close() error { return nil }
