package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Set is all adapters of one configuration. It is immutable and safe for concurrent use.
type Set struct {
	all    []*Adapter          // by name
	exact  map[string]*Adapter // by host or host:port
	suffix map[string]*Adapter // by .suffix or .suffix:port
	digest string
}

// All lists the adapters by name. The caller must not change the slice.
func (s *Set) All() []*Adapter { return s.all }

// Digest is "sha256:" and the hex SHA-256 over the names and digests of all adapters.
func (s *Set) Digest() string { return s.digest }

// ByName returns nil if no adapter has the name.
func (s *Set) ByName(name string) *Adapter {
	for _, a := range s.all {
		if a.spec.Name == name {
			return a
		}
	}
	return nil
}

// ByHost returns the adapter for an authority: host or host:port, in any case, with or without a dot at the end. It
// returns nil if no adapter has the host. An exact name wins over a suffix, a longer suffix over a shorter one, and a
// pattern with a port over one without.
func (s *Set) ByHost(authority string) *Adapter {
	host, port := splitAuthority(authority)
	if host == "" {
		return nil
	}

	if a := find(s.exact, host, port); a != nil {
		return a
	}
	for i := strings.IndexByte(host, '.'); i >= 0; {
		if a := find(s.suffix, host[i:], port); a != nil {
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

// find prefers an entry with the port.
func find(table map[string]*Adapter, host, port string) *Adapter {
	if port != "" {
		if a := table[host+":"+port]; a != nil {
			return a
		}
	}
	return table[host]
}

// add puts an adapter into the set. It returns the patterns that other adapters already have, with the names of these
// adapters.
func (s *Set) add(a *Adapter) (taken map[string]string) {
	s.all = append(s.all, a)
	for _, pattern := range a.spec.Hosts {
		host, port := splitAuthority(pattern)
		table := s.exact
		if strings.HasPrefix(host, "*.") {
			table = s.suffix
			host = host[1:]
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

// finish sorts the adapters and computes the digest.
func (s *Set) finish() {
	slices.SortFunc(s.all, func(a, b *Adapter) int { return strings.Compare(a.spec.Name, b.spec.Name) })

	sum := sha256.New()
	for _, a := range s.all {
		sum.Write([]byte(a.spec.Name + " " + a.digest + "\n"))
	}
	s.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// splitAuthority splits host:port. The host is in lower case, without a dot at the end; an IPv6 address keeps its
// brackets. Without brackets an address cannot be told from a port: the host is "".
func splitAuthority(authority string) (host, port string) {
	host = strings.ToLower(authority)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", ""
	}
	return strings.TrimSuffix(host, "."), port
}

// hostWithoutPort is the host of an authority in lower case; an IPv6 address is without brackets.
func hostWithoutPort(authority string) string {
	host, _ := splitAuthority(authority)
	return strings.Trim(host, "[]")
}
