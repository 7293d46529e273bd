package sinks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3Sink puts each batch into an object of its own, named by instance, day and
// sequence numbers, and locks it when that was asked for.
type s3Sink struct {
	client                 *minio.Client
	bucket, prefix, format string
	retain                 time.Duration
}

func newS3(c *Config, t *tls.Config, secret []string) (Sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	if len(secret) != 2 {
		return nil, errors.New("secret_file: does not hold the access key and the secret key, with a space between them")
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(secret[0], secret[1], ""), Secure: u.Scheme == "https", Region: c.Region,
		Transport: &http.Transport{TLSClientConfig: t, IdleConnTimeout: time.Minute}, MaxRetries: 1})
	if err != nil {
		return nil, err
	}
	return &s3Sink{client, c.Bucket, c.Prefix, c.Format, time.Duration(c.RetainDays) * 24 * time.Hour}, nil
}

// Deliver puts the lines into one object. Putting the same batch again makes
// another version of the same object where the bucket keeps versions.
func (s *s3Sink) Deliver(ctx context.Context, lines [][]byte) error {
	out, err := formatted(s.format, lines)
	if err != nil {
		return err
	}
	from, err := parse(lines[0])
	if err != nil {
		return err
	}
	to, err := parse(lines[len(lines)-1])
	if err != nil {
		return err
	}
	body := append(bytes.Join(out, []byte("\n")), '\n')
	opt := minio.PutObjectOptions{ContentType: "application/x-ndjson", SendContentMd5: true, DisableMultipart: true}
	if s.retain > 0 {
		opt.Mode, opt.RetainUntilDate = minio.Compliance, time.Now().Add(s.retain).UTC()
	}
	_, err = s.client.PutObject(ctx, s.bucket, s.prefix+objectName(from, to), bytes.NewReader(body), int64(len(body)), opt)
	return err
}

// objectName sorts as the records do.
func objectName(from, to *event) string {
	return fmt.Sprintf("%s/%s/%020d-%020d.jsonl", url.PathEscape(from.Instance), from.Time.UTC().Format("2006/01/02"), from.Seq, to.Seq)
}

// Close gives up nothing: connections end by themselves when they are idle.
func (s *s3Sink) Close() error { return nil }
