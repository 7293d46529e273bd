package reports

import (
	"cmp"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// Sighting is one borrowed credential over the life of a log.
type Sighting struct {
	Fingerprint string    `json:"fingerprint"`
	Session     bool      `json:"session"` // known for a credential, and so on record by an alert
	Persons     []string  `json:"persons"` // as the credential itself says; nobody has verified it
	Names       []string  `json:"names"`   // like "cookie wiki_session"
	Adapters    []string  `json:"adapters"`
	Hosts       []string  `json:"hosts"`
	Agents      []string  `json:"agents"`
	Sponsors    []string  `json:"sponsors"`
	Tasks       []string  `json:"tasks"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Times       int       `json:"times"` // requests that carried it
}

// Borrowed lists the borrowed credentials that were last seen in the period,
// the most recent first: those known for credentials, or all that was left
// behind. First, Times and everything else count from the log's beginning to
// the end of the period.
func Borrowed(records Records, p Period, all bool) ([]Sighting, error) {
	seen := map[string]*Sighting{}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if !p.To.IsZero() && !r.Time.Before(p.To) {
			break
		}
		for _, s := range r.Stripped {
			b := seen[s.Fingerprint]
			if b == nil {
				b = &Sighting{Fingerprint: s.Fingerprint, First: r.Time}
				seen[s.Fingerprint] = b
			}
			b.note(&r, s)
		}
	}
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

func (b *Sighting) note(r *audit.Record, s audit.Stripped) {
	b.Last = r.Time
	if r.Kind == "alert" {
		b.Session = true // the request itself follows, and is counted then
	} else {
		b.Times++
	}
	add(&b.Persons, s.Person)
	add(&b.Names, s.In+" "+s.Name)
	add(&b.Adapters, r.Adapter)
	add(&b.Hosts, r.Host)
	add(&b.Agents, r.Agent)
	add(&b.Sponsors, r.Sponsor)
	add(&b.Tasks, r.Task)
}

// add keeps set sorted and without repetition; "" is nothing.
func add(set *[]string, s string) {
	if s == "" {
		return
	}
	if i, known := slices.BinarySearch(*set, s); !known {
		*set = slices.Insert(*set, i, s)
	}
}
