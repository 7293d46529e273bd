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

// spentCodes are the time steps whose code a login of this process has used, by seed. RFC 6238 section 5.2: a verifier
// takes a code once, so a second login within the same step must wait for the next one.
var spentCodes = &codesSpent{last: map[[sha256.Size]byte]int64{}}

type codesSpent struct {
	mu   sync.Mutex
	last map[[sha256.Size]byte]int64 // digest of the seed → the newest step used
}

// next is the first unused step at or after the one given, which is used from then on.
func (c *codesSpent) next(seed string, step int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := sha256.Sum256([]byte(seed))
	if used, ok := c.last[key]; ok && used >= step {
		step = used + 1
	}
	c.last[key] = step
	return step
}

// oneTimeCode is the RFC 6238 code of a seed (base32, with or without spaces and padding, or an otpauth:// URL), and when
// it becomes valid: the zero time when it is already.
func oneTimeCode(seed string, now time.Time, spent *codesSpent) (code string, from time.Time, err error) {
	opts := totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	if strings.HasPrefix(seed, "otpauth://") {
		key, err := otp.NewKeyFromURL(seed)
		if err != nil || key.Type() != "totp" || key.Period() == 0 || key.Period() > 3600 {
			return "", from, errors.New("totp_seed is not an otpauth://totp URL")
		}
		seed, opts.Period, opts.Digits, opts.Algorithm = key.Secret(), uint(key.Period()), key.Digits(), key.Algorithm()
	}
	seed = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(seed))
	period := int64(opts.Period)
	current := now.Unix() / period
	step := spent.next(seed, current)
	at := time.Unix(step*period, 0)
	if code, err = totp.GenerateCodeCustom(seed, at, opts); err != nil {
		return "", from, errors.New("totp_seed is not base32")
	}
	if step > current {
		from = at
	}
	return code, from, nil
}
