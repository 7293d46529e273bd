package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

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

// hostOnly drops the port of an authority and lowers the case.
func hostOnly(authority string) string {
	host, _ := splitAuthority(authority)
	return strings.Trim(host, "[]")
}
