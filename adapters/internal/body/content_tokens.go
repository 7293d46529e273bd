package body

import (
	"bytes"
	"slices"
)

// Tokens says how a [ContentScanner] finds tokens in text, whatever structure the text has: as runs of bytes that tokens
// consist of.
type Tokens struct {
	IsTokenByte func(c byte) bool
	Shortest    int                         // length of the shortest run that is reported, in bytes
	MayBegin    func(beginning string) bool // whether a run with that beginning may matter to the caller
}

// tokenScan reports long runs of token bytes. It skips through words: a separator in the last byte at which a run could
// have its shortest length shows that none begins before it.
type tokenScan struct {
	report   func(Finding)
	isToken  [256]bool
	shortest int
	mayBegin func(string) bool

	run    []byte // that has not ended, without what is longer than a value
	before []byte // the end of what was written, to find what two pieces hold
}

// minHeldToken is how long a run must be before it is held back. What is shorter is the part of a key that names its
// issuer.
const minHeldToken = 8

// PrivateKeyLine is the token that stands for the first line of a private key in PEM (RFC 7468 section 10), also in the
// forms of OpenSSH and OpenSSL.
const PrivateKeyLine = "-----BEGIN PRIVATE KEY-----"

// privateKey ends that line.
var privateKey = []byte("PRIVATE KEY-----")

func newTokenScan(t Tokens, report func(Finding)) *tokenScan {
	s := &tokenScan{report: report, shortest: t.Shortest, mayBegin: t.MayBegin}
	for c := range s.isToken {
		s.isToken[c] = t.IsTokenByte(byte(c))
	}
	return s
}

func (s *tokenScan) write(p []byte) {
	s.findPrivateKey(p)

	if len(s.run) > 0 {
		n := slices.IndexFunc(p, func(c byte) bool { return !s.isToken[c] })
		if n < 0 {
			s.keep(p)
			return
		}
		s.keep(p[:n])
		s.end()
		p = p[n:]
	}

	for i := 0; ; {
		if i+s.shortest > len(p) {
			s.keep(p[i+s.lastEnd(p[i:])+1:])
			return
		}
		if last := s.lastEnd(p[i : i+s.shortest]); last >= 0 {
			i += last + 1
			continue
		}

		end := i + s.shortest
		for end < len(p) && s.isToken[p[end]] {
			end++
		}
		s.keep(p[i:end])
		if end == len(p) {
			return
		}
		s.end()
		i = end + 1
	}
}

// lastEnd returns the index of the last byte of p that ends a run, or -1.
func (s *tokenScan) lastEnd(p []byte) int {
	i := len(p) - 1
	for i >= 0 && s.isToken[p[i]] {
		i--
	}
	return i
}

func (s *tokenScan) keep(p []byte) {
	s.run = append(s.run, p[:min(len(p), maxScannedValue-len(s.run))]...)
}

// end reports the run.
func (s *tokenScan) end() {
	if len(s.run) >= s.shortest {
		s.report(Finding{Value: string(s.run), Reader: ReadsToken})
	}
	s.run = s.run[:0]
}

// findPrivateKey reports the first line of a private key, after which the key follows.
func (s *tokenScan) findPrivateKey(p []byte) {
	joined := append(s.before, p[:min(len(p), len(privateKey)-1)]...)
	if bytes.Contains(joined, privateKey) || bytes.Contains(p, privateKey) {
		s.report(Finding{Value: PrivateKeyLine, Reader: ReadsToken})
	}

	if len(p) >= len(privateKey) {
		joined = p
	}
	s.before = append(s.before[:0], joined[max(0, len(joined)-len(privateKey)+1):]...)
}

// pending is the length of a run that has not ended and may matter.
func (s *tokenScan) pending() int {
	if len(s.run) < minHeldToken || !s.mayBegin(string(s.run)) {
		return 0
	}
	return len(s.run)
}
