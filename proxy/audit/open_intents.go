package audit

import (
	"cmp"
	"slices"
	"time"
)

const maxOpen = 100_000 // intents without outcome that are remembered

// Why an intent has no outcome.
const (
	WhyInFlight = "in flight" // the log ends here: the exchange goes on, or the writer was killed just now
	WhyCrash    = "crash"     // the writer was killed afterwards
	WhyDisk     = "disk"      // recording failed afterwards, and what came then was refused
	WhyCut      = "cut"       // the log was closed before the exchange had ended
)

// OpenIntent is an intent without outcome: how the exchange went is not known.
type OpenIntent struct {
	ID   string    `json:"id"`
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Task string    `json:"task,omitempty"`
	Why  string    `json:"why"`
}

// openIntents pairs intents with outcomes, in bounded memory.
type openIntents struct {
	fresh   map[string]*OpenIntent // since the last recovery or close
	lost    map[string]*OpenIntent // before it: with a reason
	more    int
	firstUS int64
	some    bool
}

// take looks at the next line.
func (o *openIntents) take(p *parsed) {
	if !o.some {
		o.firstUS, o.some, o.fresh, o.lost = p.us, true, map[string]*OpenIntent{}, map[string]*OpenIntent{}
	}
	if len(p.intent) > 0 {
		delete(o.fresh, string(p.intent))
		delete(o.lost, string(p.intent))
		return
	}
	switch string(p.kind) {
	case "intent":
		o.add(p)
	case KindRecovery:
		why := WhyCrash
		if string(p.code) == CodeDisk {
			why = WhyDisk
		}
		o.lose(why)
	case KindCheckpoint:
		if string(p.code) == CodeClose {
			o.lose(WhyCut)
		}
	}
}

func (o *openIntents) add(p *parsed) {
	if len(o.fresh)+len(o.lost) >= maxOpen {
		o.more++
		return
	}
	o.fresh[string(p.id)] = &OpenIntent{ID: unescape(p.id), Seq: p.seq, Time: time.UnixMicro(p.us).UTC(), Task: unescape(p.task)}
}

func (o *openIntents) lose(why string) {
	for id, i := range o.fresh {
		i.Why = why
		o.lost[id] = i
	}
	clear(o.fresh)
}

// list is what is open at the end of the log, in order.
func (o *openIntents) list() (all []OpenIntent, more int) {
	o.lose(WhyInFlight)
	for _, i := range o.lost {
		all = append(all, *i)
	}
	slices.SortFunc(all, func(a, b OpenIntent) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, o.more
}
