package audit

import "time"

// version is the format that this room writes and reads.
const version = 1

// Kinds that the log writes itself. [Log.Append] refuses them from others.
const (
	KindCheckpoint = "checkpoint" // signed, over every line before it
	KindRecovery   = "recovery"   // after a crash or a disk failure
	KindClock      = "clock"      // the system clock went back
	KindCounts     = "counts"     // how far tasks have counted, at the start of a segment
	KindCosigned   = "cosigned"   // what witnesses signed
)

// Codes of checkpoint records: why the checkpoint was made.
const (
	CodeInterval = "interval"
	CodeSegment  = "segment" // first line of every segment but the first
	CodeKey      = "key"     // first line of a segment, too: from here on another key signs
	CodeClose    = "close"   // last line of a log that was closed
)

// Codes of recovery records: what happened.
const (
	CodeCrash = "crash" // the writer was killed
	CodeDisk  = "disk"  // the disk failed, and works again
)

// CodeEnded is the code of the task record that ends a task.
const CodeEnded = "ended"

// IsReservedKind tells whether the log alone writes records of that kind.
func IsReservedKind(kind string) bool {
	switch kind {
	case KindCheckpoint, KindRecovery, KindClock, KindCounts, KindCosigned:
		return true
	}
	return false
}

// Record is one line of the log. Empty fields are left out of the line.
// Seq, TaskSeq, Prev and Time are the log's; what a caller puts there is not used.
type Record struct {
	V       int       `json:"v"`
	Seq     uint64    `json:"seq"`                // counts the instance's records from 0 without a gap
	TaskSeq uint64    `json:"task_seq,omitempty"` // counts the task's records from 1 without a gap
	Prev    string    `json:"prev"`               // leaf merkle.Hash, hex, of the line before; zeros at Seq 0
	Time    time.Time `json:"time"`               // UTC, microseconds; never before the line before

	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Instance string `json:"instance,omitempty"`

	Agent   string `json:"agent,omitempty"`
	Sponsor string `json:"sponsor,omitempty"`
	Task    string `json:"task,omitempty"`
	Grant   string `json:"grant,omitempty"`

	// On the record of a task's beginning: why, as the sponsor's ticket names it, and
	// what was approved, ADAPTER:ACTIONS[@RESOURCE] each.
	Purpose string   `json:"purpose,omitempty"`
	Scope   []string `json:"scope,omitempty"`

	Adapter       string `json:"adapter,omitempty"`
	AdapterDigest string `json:"adapter_digest,omitempty"`
	PolicyDigest  string `json:"policy_digest,omitempty"`

	Action     string     `json:"action,omitempty"`
	Resource   string     `json:"resource,omitempty"`
	Privileged bool       `json:"privileged,omitempty"` // the adapter calls the action privileged
	Method     string     `json:"method,omitempty"`
	Host       string     `json:"host,omitempty"`
	Path       string     `json:"path,omitempty"` // without query
	Stripped   []Stripped `json:"stripped,omitempty"`
	Account    string     `json:"account,omitempty"`
	Lease      string     `json:"lease,omitempty"`
	Decision   Decision   `json:"decision,omitzero"`

	Intent       string `json:"intent,omitempty"` // on an outcome: the intent's ID
	Count        int64  `json:"count,omitempty"`  // on an intent: the number that the request carries upstream
	Status       int    `json:"status,omitempty"`
	BytesUp      int64  `json:"bytes_up,omitempty"`
	BytesDown    int64  `json:"bytes_down,omitempty"`
	MessagesUp   int64  `json:"messages_up,omitempty"`   // of a WebSocket: whole messages from the agent, never read
	MessagesDown int64  `json:"messages_down,omitempty"` // and to it
	DurationUS   int64  `json:"duration_us,omitempty"`
	Code         string `json:"code,omitempty"`
	Detail       string `json:"detail,omitempty"` // free text on lifecycle records

	Cut        int64       `json:"cut,omitempty"`        // on a recovery: bytes of unacknowledged tail that were cut
	Key        string      `json:"key,omitempty"`        // on a checkpoint: the verifier key that signs from here on
	Tasks      []TaskCount `json:"tasks,omitempty"`      // on a counts record
	Checkpoint string      `json:"checkpoint,omitempty"` // on a checkpoint or cosigned: the signed note
	Frontier   []string    `json:"frontier,omitempty"`   // on a checkpoint: roots of the full subtrees, left to right, base64
}

// TaskCount says how many records of a task there are.
type TaskCount struct {
	Task string `json:"task"`
	Seq  uint64 `json:"seq"`
}

// Stripped names a borrowed credential that was removed. Fingerprint comes
// from [Fingerprint]; the value itself is never put on record.
type Stripped struct {
	In          string `json:"in"`
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Person      string `json:"person,omitempty"` // whose it is, as far as it says so itself; nobody has verified that
}

// Decision is what policy said. The zero value is left out of the line.
type Decision struct {
	Effect   string   `json:"effect"`
	Policies []string `json:"policies,omitempty"`
}

// IsZero reports whether nothing was decided.
func (d Decision) IsZero() bool { return d.Effect == "" && len(d.Policies) == 0 }
