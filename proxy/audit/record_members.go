package audit

// memberForm is the form in which the value of a member is written.
type memberForm int

const (
	formText     memberForm = iota // a string that is not empty
	formNumber                     // an integer other than 0
	formTrue                       // true
	formList                       // an array of strings, at least one
	formStripped                   // see FORMAT.md, likewise those that follow
	formDecision
	formTasks
	formSegment
)

// members are the members that may follow kind, in the order of a line.
var members = [...]struct {
	key   string
	form  memberForm
	field func(*Record) any // a pointer to the field
}{
	{`,"instance":`, formText, func(r *Record) any { return &r.Instance }},
	{`,"agent":`, formText, func(r *Record) any { return &r.Agent }},
	{`,"sponsor":`, formText, func(r *Record) any { return &r.Sponsor }},
	{`,"task":`, formText, func(r *Record) any { return &r.Task }},
	{`,"grant":`, formText, func(r *Record) any { return &r.Grant }},
	{`,"purpose":`, formText, func(r *Record) any { return &r.Purpose }},
	{`,"scope":`, formList, func(r *Record) any { return &r.Scope }},
	{`,"identified":`, formText, func(r *Record) any { return &r.Identified }},
	{`,"adapter":`, formText, func(r *Record) any { return &r.Adapter }},
	{`,"adapter_digest":`, formText, func(r *Record) any { return &r.AdapterDigest }},
	{`,"policy_digest":`, formText, func(r *Record) any { return &r.PolicyDigest }},
	{`,"action":`, formText, func(r *Record) any { return &r.Action }},
	{`,"resource":`, formText, func(r *Record) any { return &r.Resource }},
	{`,"privileged":`, formTrue, func(r *Record) any { return &r.Privileged }},
	{`,"method":`, formText, func(r *Record) any { return &r.Method }},
	{`,"host":`, formText, func(r *Record) any { return &r.Host }},
	{`,"path":`, formText, func(r *Record) any { return &r.Path }},
	{`,"stripped":`, formStripped, func(r *Record) any { return &r.Stripped }},
	{`,"account":`, formText, func(r *Record) any { return &r.Account }},
	{`,"lease":`, formText, func(r *Record) any { return &r.Lease }},
	{`,"decision":`, formDecision, func(r *Record) any { return &r.Decision }},
	{`,"intent":`, formText, func(r *Record) any { return &r.Intent }},
	{`,"count":`, formNumber, func(r *Record) any { return &r.Count }},
	{`,"status":`, formNumber, func(r *Record) any { return &r.Status }},
	{`,"bytes_up":`, formNumber, func(r *Record) any { return &r.BytesUp }},
	{`,"bytes_down":`, formNumber, func(r *Record) any { return &r.BytesDown }},
	{`,"messages_up":`, formNumber, func(r *Record) any { return &r.MessagesUp }},
	{`,"messages_down":`, formNumber, func(r *Record) any { return &r.MessagesDown }},
	{`,"duration_us":`, formNumber, func(r *Record) any { return &r.DurationUS }},
	{`,"code":`, formText, func(r *Record) any { return &r.Code }},
	{`,"detail":`, formText, func(r *Record) any { return &r.Detail }},
	{`,"cut":`, formNumber, func(r *Record) any { return &r.Cut }},
	{`,"key":`, formText, func(r *Record) any { return &r.Key }},
	{`,"tasks":`, formTasks, func(r *Record) any { return &r.Tasks }},
	{`,"segment":`, formSegment, func(r *Record) any { return &r.Segment }},
	{`,"checkpoint":`, formText, func(r *Record) any { return &r.Checkpoint }},
	{`,"frontier":`, formList, func(r *Record) any { return &r.Frontier }},
}

// rawMembers are the values of a line's members as they stand in it, nil for
// members that the line leaves out.
type rawMembers [len(members)][]byte

// Indexes in members of those that a scan of a whole log needs.
var (
	memberTask       = memberIndex(`,"task":`)
	memberIntent     = memberIndex(`,"intent":`)
	memberCode       = memberIndex(`,"code":`)
	memberCheckpoint = memberIndex(`,"checkpoint":`)
)

func memberIndex(key string) int {
	for i := range members {
		if members[i].key == key {
			return i
		}
	}
	panic("no member " + key)
}
