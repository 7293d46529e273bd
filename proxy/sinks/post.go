package sinks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	postTimeout    = 30 * time.Second
	maxAnswerBytes = 1 << 20
)

// poster posts bodies to one address. It is the common part of the sinks that
// speak HTTP.
type poster struct {
	client *http.Client
	url    string
	bearer string // "" if the destination asks for no token
}

func newPoster(url string, a access) poster {
	p := poster{
		url: url,
		client: &http.Client{
			Timeout: postTimeout,
			Transport: &http.Transport{
				TLSClientConfig:   a.tls,
				ForceAttemptHTTP2: true,
				IdleConnTimeout:   time.Minute,
			},
			// A redirect would send records and token to another address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if len(a.secret) > 0 {
		p.bearer = a.secret[0]
	}
	return p
}

// post sends a body and returns the body of the answer. A status other than 2xx
// is an error.
func (p *poster) post(ctx context.Context, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if p.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+p.bearer)
	}

	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return answer, nil
}

// Close closes idle connections.
func (p *poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}
