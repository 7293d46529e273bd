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

// What a witness can say that must not be overlooked.
var (
	errAhead  = errors.New("it has signed a longer log: this one was put back from an older copy, or its end was cut")
	errForked = errors.New("what it signed before is not the beginning of this log: it was rewritten, or is another one")
	errLies   = errors.New("its answer is no signature of this checkpoint by its key")
	errSlow   = errors.New("it did not answer properly")
	errUnkept = errors.New("it does not know this log; give its operator the log's public key, whose name is the origin")
	errNoKey  = errors.New("it knows this log by another key; give its operator the one that signs now")
)

const (
	witnessAnswer  = 10 * time.Second // for one request
	witnessRetry   = 5 * time.Second  // after a failure, doubled up to the next
	witnessRests   = 5 * time.Minute
	maxCosignature = 128 << 10 // bytes: 16 signatures of other kinds, which are longer, may stand beside ours
)

// witness speaks C2SP tlog-witness with one of them. One goroutine uses it.
type witness struct {
	url   string // without a slash at its end
	key   audit.WitnessKey
	http  *http.Client
	known uint64 // size that it signed last, as far as it told us
}

// cosign asks for a signature on the checkpoint, and returns the signature
// line, checked. Consistency is proved from files.
func (w *witness) cosign(ctx context.Context, signed string, c audit.Checkpoint, files audit.Tiles) (string, error) {
	for range 3 { // the size that we think it has may be wrong once, or overtaken
		if w.known > c.Size {
			w.known = 0 // let it say so itself
		}
		proof, err := files.ProveConsistency(w.known, c)
		if err != nil {
			return "", fmt.Errorf("consistency proof from %d: %w", w.known, err)
		}
		status, body, err := w.post(ctx, fmt.Sprintf("old %d\n%s\n%s", w.known, lined(proof), signed))
		if err != nil {
			return "", err
		}
		switch status {
		case http.StatusOK:
			text, _, _ := audit.SplitNote(signed)
			line, _, err := w.key.FindSignature(text, body)
			if err != nil {
				return "", fmt.Errorf("%w: %w", errLies, err)
			}
			w.known = c.Size
			return line, nil
		case http.StatusConflict:
			size, err := strconv.ParseUint(strings.TrimSuffix(body, "\n"), 10, 63)
			switch {
			case w.known == c.Size && c.Size > 0 && (err != nil || size == c.Size): // its root for that size is another
				return "", fmt.Errorf("%w (of the same %d records)", errForked, c.Size)
			case err != nil, size == w.known:
				return "", fmt.Errorf("%w: conflict, without a size that explains it", errLies)
			case size > c.Size:
				return "", fmt.Errorf("%w: %d records, here are %d", errAhead, size, c.Size)
			}
			w.known = size
		case http.StatusUnprocessableEntity:
			return "", fmt.Errorf("%w (%d records)", errForked, w.known)
		case http.StatusNotFound:
			return "", errUnkept
		case http.StatusForbidden:
			return "", errNoKey
		default:
			return "", fmt.Errorf("%w: status %d", errSlow, status)
		}
	}
	return "", fmt.Errorf("%w: it names another size each time", errLies)
}

func lined(hashes []string) string {
	if len(hashes) == 0 {
		return ""
	}
	return strings.Join(hashes, "\n") + "\n"
}

func (w *witness) post(ctx context.Context, body string) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, witnessAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/add-checkpoint", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errSlow, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxCosignature))
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errSlow, err)
	}
	return resp.StatusCode, string(b), nil
}

func newWitnessClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: witnessAnswer},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
