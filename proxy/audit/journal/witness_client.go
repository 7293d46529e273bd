package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Errors of witnessClient.cosign; see alertCode for those that cause an alert.
var (
	errAhead        = errors.New("it has signed a longer log: this one was restored from an older copy, or its end was cut")
	errForked       = errors.New("what it signed before is not the beginning of this log: the log was rewritten, or is another one")
	errBadAnswer    = errors.New("its answer is not a signature of this checkpoint by its key")
	errUnavailable  = errors.New("it did not answer properly")
	errUnknownLog   = errors.New("it does not know this log; give its operator the log's public key, whose name is the origin")
	errUntrustedKey = errors.New("it knows this log by another key; give its operator the one that signs now")
)

const (
	witnessTimeout = 10 * time.Second // of one request

	// maxWitnessAnswer bounds an answer in bytes. 16 signatures of other kinds,
	// which are longer than ours, fit next to ours.
	maxWitnessAnswer = 128 << 10

	// maxCosignAttempts bounds the requests for one checkpoint. The size that the
	// witness is thought to have may be wrong once, and somebody else may bring it
	// a newer checkpoint meanwhile.
	maxCosignAttempts = 3
)

// witnessClient asks one witness for signatures by C2SP tlog-witness. One
// goroutine uses it.
type witnessClient struct {
	url  string // without a slash at the end
	key  audit.WitnessKey
	http *http.Client

	// knownSize is the size of the log that the witness signed last, as far as its
	// answers tell. It need not be right: the witness says so if it is not.
	knownSize uint64
}

// cosign asks the witness to sign the checkpoint c, whose signed note is signed,
// and returns its signature line, verified. It computes the consistency proof
// from tiles.
func (w *witnessClient) cosign(ctx context.Context, signed string, c audit.Checkpoint, tiles audit.Tiles) (string, error) {
	for range maxCosignAttempts {
		if w.knownSize > c.Size {
			w.knownSize = 0 // the witness answers with its size
		}
		proof, err := tiles.ProveConsistency(w.knownSize, c)
		if err != nil {
			return "", fmt.Errorf("consistency proof from %d: %w", w.knownSize, err)
		}
		status, answer, err := w.addCheckpoint(ctx, proof, signed)
		if err != nil {
			return "", err
		}

		switch status {
		case http.StatusOK:
			text, _, _ := audit.SplitNote(signed)
			line, _, err := w.key.FindSignature(text, answer)
			if err != nil {
				return "", fmt.Errorf("%w: %w", errBadAnswer, err)
			}
			w.knownSize = c.Size
			return line, nil
		case http.StatusConflict:
			if err := w.learnSize(answer, c); err != nil {
				return "", err
			}
		case http.StatusUnprocessableEntity:
			return "", fmt.Errorf("%w (%d records)", errForked, w.knownSize)
		case http.StatusNotFound:
			return "", errUnknownLog
		case http.StatusForbidden:
			return "", errUntrustedKey
		default:
			return "", fmt.Errorf("%w: status %d", errUnavailable, status)
		}
	}

	return "", fmt.Errorf("%w: it names another size each time", errBadAnswer)
}

// learnSize sets knownSize from the answer to a conflict: the witness has another
// size than the request said, or another root for the same size.
func (w *witnessClient) learnSize(answer string, c audit.Checkpoint) error {
	size, err := strconv.ParseUint(strings.TrimSuffix(answer, "\n"), 10, 63)
	sameSize := w.knownSize == c.Size && c.Size > 0
	switch {
	case sameSize && (err != nil || size == c.Size):
		return fmt.Errorf("%w (of the same %d records)", errForked, c.Size)
	case err != nil, size == w.knownSize:
		return fmt.Errorf("%w: conflict, without a size that explains it", errBadAnswer)
	case size > c.Size:
		return fmt.Errorf("%w: %d records, here are %d", errAhead, size, c.Size)
	}

	w.knownSize = size

	return nil
}

// addCheckpoint makes an add-checkpoint request (C2SP tlog-witness) with the
// consistency proof from knownSize.
func (w *witnessClient) addCheckpoint(ctx context.Context, proof []string, signed string) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
	defer cancel()

	var body strings.Builder
	fmt.Fprintf(&body, "old %d\n", w.knownSize)
	for _, hash := range proof {
		body.WriteString(hash + "\n")
	}
	body.WriteString("\n" + signed)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/add-checkpoint", strings.NewReader(body.String()))
	if err != nil {
		return 0, "", err
	}

	resp, err := w.http.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxWitnessAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errUnavailable, err)
	}

	return resp.StatusCode, string(b), nil
}

// newWitnessHTTPClient returns the HTTP client that all witnesses of a log share.
// It follows no redirects, so the checkpoint goes only where the configuration
// says.
func newWitnessHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     time.Minute,
			TLSHandshakeTimeout: witnessTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
