package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Adapter is one SaaS, compiled. It is immutable and safe for concurrent use.
type Adapter struct {
	spec   Spec
	digest string
	review time.Time // end of the day of interim.review_by; zero: none was given (library adapters)
	rules  *ruleSet
	where  func(key string) string
	names  verdicts // on request fields
	backs  verdicts // on answer fields
}

// Position is file:line of the deepest part of a key like upstream.ca that the adapter's own file holds, for whoever finds
// something wrong that the file alone does not show.
func (a *Adapter) Position(key string) string { return a.where(key) }

// Name is the adapter's name.
func (a *Adapter) Name() string { return a.spec.Name }

// Digest is "sha256:" and the hex SHA-256 of the canonical JSON of the effective adapter: after inheritance,
// with sorted keys. Comments and layout of the file do not change it.
func (a *Adapter) Digest() string { return a.digest }

// Hosts are the host patterns, lower case. The caller must not change the slice.
func (a *Adapter) Hosts() []string { return a.spec.Hosts }

// Interim says why the adapter exists and until when.
func (a *Adapter) Interim() Interim { return a.spec.Interim }

// Upstream says where and how to connect; the zero value connects to what the agent named.
func (a *Adapter) Upstream() Upstream { return a.spec.Upstream }

// Overdue reports whether the day of review has passed, in UTC.
func (a *Adapter) Overdue(now time.Time) bool { return !a.review.IsZero() && !now.Before(a.review) }

// Actions lists what the adapter can name, in the order in which it is tried. The caller must not change the slice.
func (a *Adapter) Actions() []ActionSpec { return a.spec.Actions }

// Spec is the effective adapter, after inheritance. The caller must not change what it points to.
func (a *Adapter) Spec() Spec { return a.spec }

// digestOf hashes the canonical JSON: fields in the order of the structs, map keys sorted by encoding/json.
func digestOf(spec *Spec) (string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// serves reports whether the authority is one of the adapter's own hosts.
func (a *Adapter) serves(authority string) bool {
	host, port := splitAuthority(authority)
	for _, pattern := range a.spec.Hosts {
		name, only := splitAuthority(pattern)
		if only != "" && only != port {
			continue
		}
		if name == host || strings.HasPrefix(name, "*.") && strings.HasSuffix(host, name[1:]) {
			return true
		}
	}
	return false
}

// Field is one header field. The rooms share this unnamed type so that values pass between them without import.
type Field = struct{ Name, Value string }

// Cookie is one harmless cookie of the agent.
type Cookie = struct{ Name, Value string }
