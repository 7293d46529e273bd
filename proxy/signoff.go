package proxy

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
)

// SignOff is a sponsor's word, put on record, that a least-privilege review was
// read: the body of POST /v1/reviews.
type SignOff struct {
	Sponsor string    `json:"sponsor"` // who signs off
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Digest  string    `json:"digest"` // sha256: of the review's JSON
	Note    string    `json:"note,omitempty"`
}

// Signed is the record that holds a sign-off.
type Signed struct {
	Record string `json:"record"`
}

// SignReview returns once the sign-off is durable.
func (c *Corridor) SignReview(ctx context.Context, s SignOff) (Signed, error) {
	switch {
	case strings.TrimSpace(s.Sponsor) == "" || len(s.Sponsor) > 256:
		return Signed{}, errors.New("sponsor: must name who signs off")
	case !strings.HasPrefix(s.Digest, "sha256:") || len(s.Digest) != len("sha256:")+64:
		return Signed{}, errors.New("digest: must be sha256: and 64 hexadecimal digits")
	case s.To.Before(s.From) || s.To.IsZero():
		return Signed{}, errors.New("to: must not lie before from")
	case len(s.Note) > 4096:
		return Signed{}, errors.New("note: is longer than 4096 bytes")
	}
	r := &audit.Record{Kind: "review", Sponsor: s.Sponsor, Detail: "signed off the review of " + s.From.UTC().Format(time.RFC3339) +
		" to " + s.To.UTC().Format(time.RFC3339) + ", " + s.Digest}
	if s.Note != "" {
		r.Detail += ": " + s.Note
	}
	ticket := c.log.Append(r)
	return Signed{Record: ticket.ID()}, ticket.Wait(ctx)
}

func (c *Corridor) controlSignReview(ctx context.Context, body []byte) (any, error) {
	var s SignOff
	if err := strictJSON(body, &s); err != nil {
		return nil, err
	}
	signed, err := c.SignReview(ctx, s)
	if err != nil {
		if c.Ready() != nil {
			return nil, &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
		}
		return nil, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_review", Detail: err.Error(), Remedy: "byline review --sign-off sends it in the right form"}
	}
	return signed, nil
}
