package audit

import (
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// version is the version of the format that this package writes and reads.
const version = 1

// Kinds of records that the log writes itself.
const (
	KindCheckpoint = "checkpoint" // a signature over all lines before it
	KindRecovery   = "recovery"   // after a crash or a disk failure
	KindClock      = "clock"      // the system clock went back
	KindCounts     = "counts"     // the last task_seq of tasks, at the start of a segment
	KindCosigned   = "cosigned"   // a checkpoint with the signatures of witnesses
	KindRollback   = "rollback"   // an operator accepts that the log no longer has a checkpoint
	KindArchived   = "archived"   // a segment was moved away or removed
)

// IsReservedKind reports whether only the log itself may write records of that
// kind.
func IsReservedKind(kind string) bool {
	switch kind {
	case KindCheckpoint, KindRecovery, KindClock, KindCounts, KindCosigned, KindRollback, KindArchived:
		return true
	}

	return false
}

// Codes of checkpoint records: why the checkpoint was made.
const (
	CodeInterval = "interval"
	CodeSegment  = "segment" // the first line of a segment other than the first
	CodeKey      = "key"     // likewise; it also announces the key that signs from then on
	CodeClose    = "close"   // the last line of a log that was closed
)

// Codes of recovery records: what happened.
const (
	CodeCrash = "crash" // the writer was killed
	CodeDisk  = "disk"  // the disk failed and works again
)

// Codes of archived records: what happened to the segment.
const (
	CodeMoved   = "moved"   // it is in another place
	CodeRemoved = "removed" // it was kept long enough
)

// CodeEnded is the code of the task record that ends a task.
const CodeEnded = "ended"

// Record is one line of the log. A line leaves out empty fields.
//
// The log sets V, Seq, TaskSeq, Prev, Time and Wall; it ignores what a caller of
// Append puts there. Whoever adds a field adds it also to the table of members,
// to [AppendBody] and to FORMAT.md.
type Record struct {
	V       int       `json:"v"`                  // version of the format
	Seq     uint64    `json:"seq"`                // counts the lines of the log from 0
	TaskSeq uint64    `json:"task_seq,omitempty"` // counts the records of the task from 1
	Prev    string    `json:"prev"`               // leaf hash of the line before in hex; zeros if Seq is 0
	Time    time.Time `json:"time"`               // UTC, to the microsecond; never earlier than in the line before
	Wall    time.Time `json:"wall,omitzero"`      // what the system clock said, if that was earlier than Time; see [Record.At]

	ID       string `json:"id"` // from [NewID]
	Kind     string `json:"kind"`
	Instance string `json:"instance,omitempty"` // the Byline instance that wrote the record

	Agent   string `json:"agent,omitempty"`
	Sponsor string `json:"sponsor,omitempty"`
	Task    string `json:"task,omitempty"`
	Grant   string `json:"grant,omitempty"` // digest of the approved scope

	// Purpose and Scope are on the record of a task's beginning: why the task
	// exists, as the sponsor's ticket names it, and what was approved, each
	// ADAPTER:ACTIONS[@RESOURCE].
	Purpose string   `json:"purpose,omitempty"`
	Scope   []string `json:"scope,omitempty"`

	// Identified says how the request was known to be the task's: "token",
	// "listener", "peer" or "subnet".
	Identified string `json:"identified,omitempty"`

	Adapter       string `json:"adapter,omitempty"`
	AdapterDigest string `json:"adapter_digest,omitempty"`
	PolicyDigest  string `json:"policy_digest,omitempty"`

	Action     string     `json:"action,omitempty"`
	Resource   string     `json:"resource,omitempty"`
	Privileged bool       `json:"privileged,omitempty"` // the adapter calls the action privileged
	Method     string     `json:"method,omitempty"`
	Host       string     `json:"host,omitempty"`
	Path       string     `json:"path,omitempty"` // without the query
	Stripped   []Stripped `json:"stripped,omitempty"`
	Account    string     `json:"account,omitempty"`
	Lease      string     `json:"lease,omitempty"`
	Decision   Decision   `json:"decision,omitzero"`

	Intent       string `json:"intent,omitempty"` // on an outcome: the ID of its intent
	Count        int64  `json:"count,omitempty"`  // on an intent: the number that the request carries upstream
	Status       int    `json:"status,omitempty"`
	BytesUp      int64  `json:"bytes_up,omitempty"`      // from the agent
	BytesDown    int64  `json:"bytes_down,omitempty"`    // to the agent
	MessagesUp   int64  `json:"messages_up,omitempty"`   // whole WebSocket messages from the agent
	MessagesDown int64  `json:"messages_down,omitempty"` // whole WebSocket messages to the agent
	DurationUS   int64  `json:"duration_us,omitempty"`   // microseconds
	Code         string `json:"code,omitempty"`
	Detail       string `json:"detail,omitempty"` // free text

	Cut        int64       `json:"cut,omitempty"`        // on a recovery: bytes of unacknowledged tail that were cut
	Key        string      `json:"key,omitempty"`        // on a checkpoint with CodeKey: the verifier key that signs from then on
	Tasks      []TaskCount `json:"tasks,omitempty"`      // on a counts record
	Segment    Segment     `json:"segment,omitzero"`     // on an archived record
	Checkpoint string      `json:"checkpoint,omitempty"` // on a checkpoint, cosigned or rollback: the signed note
	Frontier   []string    `json:"frontier,omitempty"`   // on a checkpoint or rollback: roots of the full subtrees, left to right, in base64
}

// Segment names a segment and what it held, so that who has it can show that it is
// the one.
type Segment struct {
	First  uint64 `json:"first"`  // number of its first line
	Next   uint64 `json:"next"`   // number of the line after its last
	Bytes  uint64 `json:"bytes"`  // its length
	SHA256 string `json:"sha256"` // of its bytes, in hex
	Root   string `json:"root"`   // RFC 6962 Merkle root of the lines before Next, in base64
}

// IsZero reports whether no segment is named.
func (s Segment) IsZero() bool { return s == Segment{} }

// At returns what the system clock said when the record was made. It differs from
// Time after the clock went back: Time keeps the order of the log.
func (r *Record) At() time.Time {
	if !r.Wall.IsZero() {
		return r.Wall
	}
	return r.Time
}

// TaskCount is the number of records of a task so far.
type TaskCount struct {
	Task string `json:"task"`
	Seq  uint64 `json:"seq"`
}

// Stripped names a borrowed credential that was removed from a request. The
// record never holds its value, only the [Fingerprint] of it.
type Stripped struct {
	In          string `json:"in"` // where it was, for example "cookie"
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Person      string `json:"person,omitempty"` // the person that the credential itself names, unverified
}

// Decision is what the policy decided. A line leaves out the zero value.
type Decision struct {
	Effect   string   `json:"effect"`
	Policies []string `json:"policies,omitempty"`
}

// IsZero reports whether nothing was decided.
func (d Decision) IsZero() bool { return d.Effect == "" && len(d.Policies) == 0 }

// Line returns the record as it lies in the log, without newline.
func (r *Record) Line() []byte {
	prev, _ := merkle.ParseHex(r.Prev) // a record that was read has a valid hash

	return AppendLine(nil, r.Seq, r.TaskSeq, prev, r.Time.UnixMicro(), AppendBody(nil, r))
}
