package audit

import (
	"cmp"
	"slices"
	"time"
)

// maxOpenIntents bounds the intents without outcome that a verification
// remembers.
const maxOpenIntents = 100_000

// Why an intent has no outcome.
const (
	WhyInFlight = "in flight" // the log ends here: the exchange continues, or the writer has just been killed
	WhyCrash    = "crash"     // the writer was killed later
	WhyDisk     = "disk"      // recording failed later and outcomes were refused
	WhyCut      = "cut"       // the log was closed before the exchange ended
)

// OpenIntent is an intent without outcome: how the exchange ended is not known.
type OpenIntent struct {
	ID   string    `json:"id"`
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Task string    `json:"task,omitempty"`
	Why  string    `json:"why"`
}

// openIntents pairs intents with outcomes in bounded memory. The zero value is
// ready to use.
type openIntents struct {
	pending  map[string]*OpenIntent // since the last recovery or close, by ID
	lost     map[string]*OpenIntent // before that, with the reason
	unlisted int                    // intents over maxOpenIntents
}

// add takes the next line of the log into account.
func (o *openIntents) add(p *parsedLine) {
	if len(p.intent) > 0 {
		delete(o.pending, string(p.intent))
		delete(o.lost, string(p.intent))
		return
	}

	switch string(p.kind) {
	case "intent":
		o.addIntent(p)
	case KindRecovery:
		why := WhyCrash
		if string(p.code) == CodeDisk {
			why = WhyDisk
		}
		o.losePending(why)
	case KindCheckpoint:
		if string(p.code) == CodeClose {
			o.losePending(WhyCut)
		}
	}
}

func (o *openIntents) addIntent(p *parsedLine) {
	if len(o.pending)+len(o.lost) >= maxOpenIntents {
		o.unlisted++
		return
	}

	if o.pending == nil {
		o.pending = map[string]*OpenIntent{}
	}
	o.pending[string(p.id)] = &OpenIntent{
		ID:   unescape(p.id),
		Seq:  p.seq,
		Time: time.UnixMicro(p.us).UTC(),
		Task: unescape(p.task),
	}
}

// losePending gives all pending intents a reason.
func (o *openIntents) losePending(why string) {
	if o.lost == nil {
		o.lost = map[string]*OpenIntent{}
	}
	for id, intent := range o.pending {
		intent.Why = why
		o.lost[id] = intent
	}

	clear(o.pending)
}

// list returns the intents that are open at the end of the log, in order, and
// how many more there are.
func (o *openIntents) list() (open []OpenIntent, unlisted int) {
	o.losePending(WhyInFlight)

	for _, intent := range o.lost {
		open = append(open, *intent)
	}
	slices.SortFunc(open, func(a, b OpenIntent) int { return cmp.Compare(a.Seq, b.Seq) })

	return open, o.unlisted
}
