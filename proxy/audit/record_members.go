package audit

// form is how the value of a member is written.
type form int

const (
	aText     form = iota // a string that is not empty
	aNumber               // an integer other than 0
	aTrue                 // true
	aList                 // strings, at least one
	aStripped             // the next three: see FORMAT.md
	aDecision
	aTasks
)

// members are those after kind, in the order of a line. Who adds one adds it
// here, to [Record], to AppendBody and to FORMAT.md.
var members = [...]struct {
	key  string
	form form
	of   func(*Record) any
}{
	{`,"instance":`, aText, func(r *Record) any { return &r.Instance }},
	{`,"agent":`, aText, func(r *Record) any { return &r.Agent }},
	{`,"sponsor":`, aText, func(r *Record) any { return &r.Sponsor }},
	{`,"task":`, aText, func(r *Record) any { return &r.Task }},
	{`,"grant":`, aText, func(r *Record) any { return &r.Grant }},
	{`,"purpose":`, aText, func(r *Record) any { return &r.Purpose }},
	{`,"scope":`, aList, func(r *Record) any { return &r.Scope }},
	{`,"adapter":`, aText, func(r *Record) any { return &r.Adapter }},
	{`,"adapter_digest":`, aText, func(r *Record) any { return &r.AdapterDigest }},
	{`,"policy_digest":`, aText, func(r *Record) any { return &r.PolicyDigest }},
	{`,"action":`, aText, func(r *Record) any { return &r.Action }},
	{`,"resource":`, aText, func(r *Record) any { return &r.Resource }},
	{`,"privileged":`, aTrue, func(r *Record) any { return &r.Privileged }},
	{`,"method":`, aText, func(r *Record) any { return &r.Method }},
	{`,"host":`, aText, func(r *Record) any { return &r.Host }},
	{`,"path":`, aText, func(r *Record) any { return &r.Path }},
	{`,"stripped":`, aStripped, func(r *Record) any { return &r.Stripped }},
	{`,"account":`, aText, func(r *Record) any { return &r.Account }},
	{`,"lease":`, aText, func(r *Record) any { return &r.Lease }},
	{`,"decision":`, aDecision, func(r *Record) any { return &r.Decision }},
	{`,"intent":`, aText, func(r *Record) any { return &r.Intent }},
	{`,"count":`, aNumber, func(r *Record) any { return &r.Count }},
	{`,"status":`, aNumber, func(r *Record) any { return &r.Status }},
	{`,"bytes_up":`, aNumber, func(r *Record) any { return &r.BytesUp }},
	{`,"bytes_down":`, aNumber, func(r *Record) any { return &r.BytesDown }},
	{`,"messages_up":`, aNumber, func(r *Record) any { return &r.MessagesUp }},
	{`,"messages_down":`, aNumber, func(r *Record) any { return &r.MessagesDown }},
	{`,"duration_us":`, aNumber, func(r *Record) any { return &r.DurationUS }},
	{`,"code":`, aText, func(r *Record) any { return &r.Code }},
	{`,"detail":`, aText, func(r *Record) any { return &r.Detail }},
	{`,"cut":`, aNumber, func(r *Record) any { return &r.Cut }},
	{`,"key":`, aText, func(r *Record) any { return &r.Key }},
	{`,"tasks":`, aTasks, func(r *Record) any { return &r.Tasks }},
	{`,"checkpoint":`, aText, func(r *Record) any { return &r.Checkpoint }},
	{`,"frontier":`, aList, func(r *Record) any { return &r.Frontier }},
}

// values are the members of a line as they stand in it; nil where one is not.
type values [len(members)][]byte

func at(key string) int {
	for i := range members {
		if members[i].key == key {
			return i
		}
	}
	panic("no member " + key)
}

var atTask, atIntent, atCode, atCheckpoint = at(`,"task":`), at(`,"intent":`), at(`,"code":`), at(`,"checkpoint":`)
