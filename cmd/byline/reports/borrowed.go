package reports

import (
	"cmp"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Sighting is one borrowed credential with all its occurrences in the log, or the cookies
// of one session.
type Sighting struct {
	Fingerprint string    `json:"fingerprint"`
	Also        []string  `json:"also,omitempty"` // fingerprints of the session's other cookies
	Session     bool      `json:"session"`        // known to be a credential, so there is an alert on record
	Persons     []string  `json:"persons"`        // according to the credential itself; nobody has verified it
	Names       []string  `json:"names"`          // like "cookie wiki_session"
	Adapters    []string  `json:"adapters"`
	Hosts       []string  `json:"hosts"`
	Agents      []string  `json:"agents"`
	Sponsors    []string  `json:"sponsors"`
	Tasks       []string  `json:"tasks"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Times       int       `json:"times"` // requests that carried it

	cookies []string // names of the cookies that had it
	isOther bool     // it was also found elsewhere than in a cookie
	number  int      // counts the sightings
}

// Borrowed lists the borrowed credentials that were last seen in the period, the most
// recent first. The cookies of one session are one entry. If all is set, it also lists what was removed without being known to be
// a credential. First, Times and the lists count from the beginning of the log to the
// end of the period.
func Borrowed(records Records, p Period, all bool) ([]Sighting, error) {
	seen := map[string]*Sighting{} // by fingerprint
	together := togetherness{}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if p.IsOver(r.Time) {
			break
		}

		for _, s := range r.Stripped {
			b := seen[s.Fingerprint]
			if b == nil {
				b = &Sighting{Fingerprint: s.Fingerprint, First: r.Time, number: len(seen)}
				seen[s.Fingerprint] = b
			}
			b.add(&r, s)
		}
		together.add(&r)
	}
	together.join(seen)

	found := []Sighting{}
	for _, b := range seen {
		if (all || b.Session) && !b.Last.Before(p.From) {
			found = append(found, *b)
		}
	}
	slices.SortFunc(found, func(a, b Sighting) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return found, nil
}

// add adds one occurrence.
func (b *Sighting) add(r *audit.Record, s audit.Stripped) {
	b.Last = r.Time
	if r.Kind == "alert" {
		b.Session = true // the request follows and is counted then
	} else {
		b.Times++
	}

	if s.In == "cookie" {
		AddToSet(&b.cookies, s.Name)
	} else {
		b.isOther = true
	}
	AddToSet(&b.Persons, s.Person)
	AddToSet(&b.Names, s.In+" "+s.Name)
	AddToSet(&b.Adapters, r.Adapter)
	AddToSet(&b.Hosts, r.Host)
	AddToSet(&b.Agents, r.Agent)
	AddToSet(&b.Sponsors, r.Sponsor)
	AddToSet(&b.Tasks, r.Task)
}

// AddToSet inserts s into a sorted list without duplicates. It ignores "".
func AddToSet(set *[]string, s string) {
	if s == "" {
		return
	}
	if i, known := slices.BinarySearch(*set, s); !known {
		*set = slices.Insert(*set, i, s)
	}
}
