package reports

import (
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
)

// togetherness says which cookies came in the same requests.
type togetherness map[string]*cookieSet // by the fingerprints

// cookieSet is what requests carried together.
type cookieSet struct {
	fingerprints []string // in the order of the first of these requests
	number       int      // counts the sets
	times        int
}

// add adds the cookies of a request.
func (t togetherness) add(r *audit.Record) {
	if len(r.Stripped) < 2 || r.Kind == "alert" {
		return
	}

	var fingerprints []string
	for _, s := range r.Stripped {
		if s.In == "cookie" && !slices.Contains(fingerprints, s.Fingerprint) {
			fingerprints = append(fingerprints, s.Fingerprint)
		}
	}
	if len(fingerprints) < 2 {
		return
	}
	key := strings.Join(slices.Sorted(slices.Values(fingerprints)), " ")
	set := t[key]
	if set == nil {
		set = &cookieSet{fingerprints: fingerprints, number: len(t)}
		t[key] = set
	}
	set.times++
}

// join makes one sighting of the cookies of each session: of those that came together.
// Two values of one cookie are two sessions, and so are cookies that name two persons.
func (t togetherness) join(seen map[string]*Sighting) {
	sets := slices.SortedFunc(maps.Values(t), func(x, y *cookieSet) int { return x.number - y.number })
	session := map[string]*joined{} // by fingerprint
	for _, set := range sets {
		var into *joined
		for _, fingerprint := range set.fingerprints {
			b := seen[fingerprint]
			if !b.Session || b.isOther {
				continue
			}
			j := session[fingerprint]
			if j == nil {
				j = &joined{members: []*Sighting{b}}
				session[fingerprint] = j
			}
			switch {
			case into == nil:
				into = j
			case into != j && into.fits(j):
				into.members = append(into.members, j.members...)
				for _, m := range j.members {
					session[m.Fingerprint] = into
				}
			}
		}
	}

	holding := map[string][]*cookieSet{}
	for _, set := range sets {
		for _, fingerprint := range set.fingerprints {
			holding[fingerprint] = append(holding[fingerprint], set)
		}
	}
	done := map[*joined]bool{}
	for _, j := range session {
		if !done[j] && len(j.members) > 1 {
			j.merge(seen, holding)
		}
		done[j] = true
	}
}

// joined are the cookies of one session.
type joined struct{ members []*Sighting }

// fits reports whether the cookies of two sessions can be those of one.
func (j *joined) fits(other *joined) bool {
	for _, a := range j.members {
		for _, b := range other.members {
			isOtherPerson := len(a.Persons) > 0 && len(b.Persons) > 0 && !shareText(a.Persons, b.Persons)
			if isOtherPerson || shareText(a.cookies, b.cookies) {
				return false
			}
		}
	}
	return true
}

func shareText(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// merge makes the first member stand for all, and forgets the others.
func (j *joined) merge(seen map[string]*Sighting, holding map[string][]*cookieSet) {
	slices.SortFunc(j.members, func(x, y *Sighting) int { return x.number - y.number })
	times := j.countRequests(holding)

	first := j.members[0]
	for _, m := range j.members[1:] {
		first.Also = append(first.Also, m.Fingerprint)
		if m.Last.After(first.Last) {
			first.Last = m.Last
		}
		for _, lists := range [][2]*[]string{
			{&first.Persons, &m.Persons}, {&first.Names, &m.Names}, {&first.Adapters, &m.Adapters}, {&first.Hosts, &m.Hosts},
			{&first.Agents, &m.Agents}, {&first.Sponsors, &m.Sponsors}, {&first.Tasks, &m.Tasks},
		} {
			for _, s := range *lists[1] {
				AddToSet(lists[0], s)
			}
		}
		delete(seen, m.Fingerprint)
	}
	first.Times = times
}

// countRequests counts the requests that carried any cookie of a session. holding has the
// sets with each cookie.
func (j *joined) countRequests(holding map[string][]*cookieSet) int {
	alone := 0
	members := map[*cookieSet]int{}
	for _, m := range j.members {
		alone += m.Times
		for _, set := range holding[m.Fingerprint] {
			members[set]++
		}
	}

	together := 0
	for set, n := range members {
		together += set.times
		alone -= n * set.times
	}
	return together + alone
}
