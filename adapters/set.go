package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"time"
)

// Adapter is one SaaS, compiled. It is immutable and safe for concurrent use.
type Adapter struct {
	spec   Spec
	digest string
	review time.Time // end of the day of interim.review_by; zero: none was given (library adapters)
	rules  *rules
	where  func(key string) string
	names  verdicts // on request fields
	backs  verdicts // on answer fields
}

// Where is file:line of the deepest part of a key like upstream.ca that the adapter's own file holds, for whoever finds
// something wrong that the file alone does not show.
func (a *Adapter) Where(key string) string { return a.where(key) }

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

// Set is every adapter of one configuration. It is immutable and safe for concurrent use.
type Set struct {
	all    []*Adapter
	exact  map[string]*Adapter // host or host:port
	suffix map[string]*Adapter // ".suffix" or ".suffix:port"
	digest string
}

// All lists the adapters by name. The caller must not change the slice.
func (s *Set) All() []*Adapter { return s.all }

// Digest is "sha256:" over the names and digests of all adapters.
func (s *Set) Digest() string { return s.digest }

// ByName is nil for a name that no adapter has.
func (s *Set) ByName(name string) *Adapter {
	for _, a := range s.all {
		if a.spec.Name == name {
			return a
		}
	}
	return nil
}

// ByHost finds the adapter of an authority (host or host:port, any case, a trailing dot allowed); nil: none.
// An exact name wins over a suffix, a longer suffix over a shorter one, and a pattern with a port over one without.
func (s *Set) ByHost(authority string) *Adapter {
	host, port := splitAuthority(authority)
	if host == "" {
		return nil
	}
	if port != "" {
		if a := s.exact[host+":"+port]; a != nil {
			return a
		}
	}
	if a := s.exact[host]; a != nil {
		return a
	}
	for i := strings.IndexByte(host, '.'); i >= 0; {
		if port != "" {
			if a := s.suffix[host[i:]+":"+port]; a != nil {
				return a
			}
		}
		if a := s.suffix[host[i:]]; a != nil {
			return a
		}
		next := strings.IndexByte(host[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}

// splitAuthority lowers the case, drops one trailing dot and keeps IPv6 brackets.
func splitAuthority(authority string) (host, port string) {
	host = strings.ToLower(authority)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	return strings.TrimSuffix(host, "."), port
}

// checkHost says what is wrong with a host pattern; "" when nothing is.
func checkHost(pattern string) string {
	host, port := splitAuthority(pattern)
	if port != "" && (len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return "the port is not a number"
	}
	name := strings.TrimPrefix(host, "*.")
	switch {
	case name == "":
		return "it is empty"
	case strings.Contains(host, "/"):
		return "it is a URL; write the host only"
	case strings.Contains(name, "*"):
		return "* may stand only at the front, as *.suffix"
	case strings.HasPrefix(name, "["):
		if net.ParseIP(strings.Trim(name, "[]")) == nil {
			return "it is not an IPv6 address in brackets"
		}
		return ""
	case host != name && !strings.Contains(name, "."):
		return "the suffix would cover a whole top-level domain"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "it is not a host name"
		}
	}
	return ""
}

// index puts a's hosts into the set and names the adapter that already has one.
func (s *Set) index(a *Adapter) (taken map[string]string) {
	for _, pattern := range a.spec.Hosts {
		host, port := splitAuthority(pattern)
		table := s.exact
		if strings.HasPrefix(host, "*.") {
			table, host = s.suffix, host[1:]
		}
		if port != "" {
			host += ":" + port
		}
		if other := table[host]; other != nil {
			if taken == nil {
				taken = map[string]string{}
			}
			taken[pattern] = other.spec.Name
			continue
		}
		table[host] = a
	}
	return taken
}

func (s *Set) seal() {
	slices.SortFunc(s.all, func(a, b *Adapter) int { return strings.Compare(a.spec.Name, b.spec.Name) })
	sum := sha256.New()
	for _, a := range s.all {
		sum.Write([]byte(a.spec.Name + " " + a.digest + "\n"))
	}
	s.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// digestOf hashes the canonical JSON: fields in the order of the structs, map keys sorted by encoding/json.
func digestOf(spec *Spec) (string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
