package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// StepReserver returns the lowest time step from first to last that it has not returned for the key
// before, and ok false if there is none. A verifier accepts a code once (RFC 6238 section 5.2), so a
// step must not be returned again after a restart either. The key is a digest of the seed.
type StepReserver func(key string, first, last int64) (step int64, ok bool, err error)

// ReserveSteps sets who remembers the time steps whose codes were sent. Without it they are
// remembered until the process ends. It must be called before the first Next.
func (d *Dialogue) ReserveSteps(reserve StepReserver) { d.reserve = reserve }

// CodeUsedError means that every one-time code that can be sent within codeWait was sent before.
type CodeUsedError struct{ Until time.Time }

// Error says when the next code becomes valid.
func (e *CodeUsedError) Error() string {
	return "the one-time code was sent before; the next one is valid from " + e.Until.UTC().Format(time.RFC3339)
}

// ReserveError is the error of a StepReserver: no code was made.
type ReserveError struct{ err error }

// Error returns the cause.
func (e *ReserveError) Error() string { return "used one-time codes: " + e.err.Error() }

// Unwrap returns the cause.
func (e *ReserveError) Unwrap() error { return e.err }

// codeWait is how long a login waits for a code that was not sent before.
const codeWait = 31 * time.Second

// totpSteps are the time steps whose codes the logins of this process have used, for dialogues without
// ReserveSteps.
var totpSteps = &usedSteps{newest: map[string]int64{}}

// usedSteps remembers the newest time step used for each key. It is safe for concurrent use.
type usedSteps struct {
	mu     sync.Mutex
	newest map[string]int64
}

// reserve is a StepReserver.
func (u *usedSteps) reserve(key string, first, last int64) (step int64, ok bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()

	step = first
	if newest, known := u.newest[key]; known && newest >= step {
		step = newest + 1
	}
	if step > last {
		return 0, false, nil
	}
	u.newest[key] = step
	return step, true, nil
}

// generateTOTP returns an unused one-time code of RFC 6238 and when it becomes valid: the zero time
// if it already is. seed is base32, with or without spaces and padding, or an otpauth:// URL. The
// code's step is reserved before generateTOTP returns. The error does not hold the seed.
func generateTOTP(seed string, now time.Time, reserve StepReserver) (code string, validFrom time.Time, err error) {
	opts := totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	if strings.HasPrefix(seed, "otpauth://") {
		key, err := otp.NewKeyFromURL(seed)
		if err != nil || key.Type() != "totp" || key.Period() == 0 || key.Period() > 3600 {
			return "", time.Time{}, errors.New("totp_seed is not an otpauth://totp URL")
		}
		seed = key.Secret()
		opts.Period = uint(key.Period())
		opts.Digits = key.Digits()
		opts.Algorithm = key.Algorithm()
	}
	seed = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(seed))
	if _, err := totp.GenerateCodeCustom(seed, now, opts); err != nil {
		return "", time.Time{}, errors.New("totp_seed is not base32")
	}

	period := int64(opts.Period)
	current := now.Unix() / period
	next := time.Unix((current+1)*period, 0)
	last := current
	if next.Sub(now) <= codeWait {
		last++
	}
	step, ok, err := reserve(stepKey(seed, &opts), current, last)
	if err != nil {
		return "", time.Time{}, &ReserveError{err}
	}
	if !ok {
		return "", time.Time{}, &CodeUsedError{Until: time.Unix((last+1)*period, 0)}
	}

	start := time.Unix(step*period, 0)
	code, err = totp.GenerateCodeCustom(seed, start, opts)
	if err != nil {
		return "", time.Time{}, errors.New("totp_seed is not base32")
	}
	if step > current {
		validFrom = start
	}
	return code, validFrom, nil
}

// stepKey names the steps of a seed. Another period counts other steps.
func stepKey(seed string, opts *totp.ValidateOpts) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%d", seed, opts.Period, opts.Digits, opts.Algorithm))
	return hex.EncodeToString(sum[:])
}
