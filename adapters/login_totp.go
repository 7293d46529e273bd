package adapters

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// totpSteps are the time steps whose codes the logins of this process have used. A verifier accepts a
// code once (RFC 6238 section 5.2), so a second login within a step must wait for the next one.
var totpSteps = &usedSteps{newest: map[[sha256.Size]byte]int64{}}

// usedSteps remembers the newest time step used for each seed. It is safe for concurrent use.
type usedSteps struct {
	mu     sync.Mutex
	newest map[[sha256.Size]byte]int64 // by the digest of the seed
}

// reserve returns the first unused step at or after the given one, and marks it as used.
func (u *usedSteps) reserve(seed string, step int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()

	key := sha256.Sum256([]byte(seed))
	if newest, ok := u.newest[key]; ok && newest >= step {
		step = newest + 1
	}
	u.newest[key] = step
	return step
}

// generateTOTP returns an unused one-time code of RFC 6238 and when it becomes valid: the zero time
// if it already is. seed is base32, with or without spaces and padding, or an otpauth:// URL. The
// error does not hold the seed.
func generateTOTP(seed string, now time.Time, used *usedSteps) (code string, validFrom time.Time, err error) {
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

	period := int64(opts.Period)
	current := now.Unix() / period
	step := used.reserve(seed, current)
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
