package admin

import "time"

// The types of the control API. The server answers with them and the command
// line reads them: a member that is added here reaches both.

// ScopeEntry approves actions on resources of one adapter. Actions and
// resources may contain * as a wildcard; no resources means all of them.
type ScopeEntry struct {
	Adapter   string   `json:"adapter"`
	Actions   []string `json:"actions"`
	Resources []string `json:"resources,omitempty"`
}

// TaskSpec is the body of POST /v1/tasks: what an operator asks for.
type TaskSpec struct {
	Agent   string       `json:"agent"`
	Sponsor string       `json:"sponsor"`
	Purpose string       `json:"purpose"`
	TTL     string       `json:"ttl,omitempty"` // a Go duration like 30m; empty means the server's default
	Scope   []ScopeEntry `json:"scope"`
	Bind    *Binding     `json:"bind,omitempty"` // connections that are the task's without its token
}

// Binding names connections: those of a user of the server's machine, and those from
// subnets that its configuration trusts.
type Binding struct {
	UID     *uint32  `json:"uid,omitempty"`
	Subnets []string `json:"subnets,omitempty"` // CIDR prefixes
}

// The values of [Task.State].
const (
	StateActive = "active"
	StateEnded  = "ended" // by its operator, by its program or by its time
)

// Task is a task as the control API shows it.
type Task struct {
	ID      string       `json:"id"`
	Token   string       `json:"token,omitempty"` // only in the answer to POST /v1/tasks
	Agent   string       `json:"agent"`
	Sponsor string       `json:"sponsor"`
	Purpose string       `json:"purpose"`
	Grant   string       `json:"grant"` // digest of the approved scope
	Scope   []ScopeEntry `json:"scope"`
	Bound   string       `json:"bound,omitempty"` // which connections are the task's without its token
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires"`
	State   string       `json:"state"` // StateActive or StateEnded
	Ended   *time.Time   `json:"ended,omitempty"`
	Why     string       `json:"why,omitempty"` // why it ended; empty for a task that expired

	Accounts []Account `json:"accounts,omitempty"` // that it holds; only in the answer for one task
}

// Lease is an account that a task holds.
type Lease struct {
	ID      string `json:"id"`
	Adapter string `json:"adapter"`
	Account string `json:"account"`
	Task    string `json:"task"`
	Fence   uint64 `json:"fence"`
}

// The values of [Account.State].
const (
	AccountFree        = "free"
	AccountLeased      = "leased"
	AccountBackOff     = "back_off"     // logins failed, or sessions were over soon; until Until
	AccountNeedsPerson = "needs_person" // logins succeed and every session is over; until its secret, the adapter or the operator changes that
)

// AccountQuarantined is the state of an account one of whose secrets an agent sent. No
// task gets it until an operator releases it.
const AccountQuarantined = "quarantined"

// Account is an account of the vault as the control API shows it.
type Account struct {
	Adapter string     `json:"adapter"`
	Account string     `json:"account"`
	State   string     `json:"state"`
	Task    string     `json:"task,omitempty"` // that holds it
	Until   *time.Time `json:"until,omitempty"`
	Why     string     `json:"why,omitempty"`
}

// Question is the body of POST /v1/explain: a request to explain rather than
// to send. It is judged with the scope of an active task, or with a scope to try
// if Task is empty.
type Question struct {
	Task    string       `json:"task,omitempty"`
	Agent   string       `json:"agent,omitempty"` // who would act; read together with Scope
	Scope   []ScopeEntry `json:"scope,omitempty"`
	Method  string       `json:"method"`
	Scheme  string       `json:"scheme"` // https if empty
	Host    string       `json:"host"`   // authority: host or host:port
	Target  string       `json:"target"` // path and query, exactly as an agent would send them
	Headers [][2]string  `json:"headers,omitempty"`
	Body    string       `json:"body,omitempty"` // read if the adapter names actions by it

	// Message is what an agent would send on the WebSocket that the request opens. If it is empty, and not Binary, the
	// question is about the request alone.
	Message string `json:"message,omitempty"`
	Binary  bool   `json:"binary,omitempty"` // whether the message is a binary one
}

// Explanation says what would become of the request of a [Question], up to the
// checkout of an account.
type Explanation struct {
	Adapter    string     `json:"adapter,omitempty"`
	Action     string     `json:"action,omitempty"`
	Resource   string     `json:"resource,omitempty"`
	Privileged bool       `json:"privileged,omitempty"`
	Effect     string     `json:"effect"`
	Policies   []string   `json:"policies,omitempty"` // which decided
	Stripped   []Stripped `json:"stripped,omitempty"`
	Sent       []string   `json:"sent,omitempty"` // names of the header fields that would be sent
	Query      string     `json:"query,omitempty"`
	Code       string     `json:"code,omitempty"` // of the refusal; empty if the request would be sent
	Why        string     `json:"why,omitempty"`
	Near       []string   `json:"near,omitempty"` // actions that nearly match, each with what does not

	Messages []ExplainedMessage `json:"messages,omitempty"` // what the message of the question does; empty if it is part of Action
	Payload  string             `json:"payload,omitempty"`  // the message as it would be sent
}

// ExplainedMessage is what one message on a WebSocket does.
type ExplainedMessage struct {
	Action     string   `json:"action"`
	Resource   string   `json:"resource,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
	Effect     string   `json:"effect"`
	Policies   []string `json:"policies,omitempty"` // which decided
}

// Stripped names a borrowed credential that would be removed from the request.
type Stripped struct {
	In   string `json:"in"`
	Name string `json:"name"`

	// Held reports that it is a header field that nothing names; the adapter's headers.pass lets it through.
	Held bool `json:"held,omitempty"`
}

// SignOff is the body of POST /v1/reviews: a sponsor states that a
// least-privilege review was read.
type SignOff struct {
	Sponsor string    `json:"sponsor"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Digest  string    `json:"digest"` // sha256: and 64 hexadecimal digits, of the review's JSON
	Note    string    `json:"note,omitempty"`
}

// Signed names the record that holds a sign-off.
type Signed struct {
	Record string `json:"record"`
}

// Acceptance is the body of POST /v1/audit/rollback: an operator states that the log
// is known to have lost records.
type Acceptance struct {
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
}

// AcceptedRollback says what was accepted. It is empty if nothing was lost.
type AcceptedRollback struct {
	Breaks []AcceptedBreak `json:"breaks"`
}

// AcceptedBreak is a checkpoint that the log no longer has, and the state of the log
// when an operator accepted that.
type AcceptedBreak struct {
	Record   string `json:"record"` // id of the record that says so
	LostSize uint64 `json:"lost_size"`
	LostRoot string `json:"lost_root"`
	Size     uint64 `json:"size"`
	Root     string `json:"root"`
}

// ArchivedSegment is the body of POST /v1/audit/archived: what became of a segment of
// the log.
type ArchivedSegment struct {
	Code   string `json:"code"` // moved or removed
	First  uint64 `json:"first"`
	Next   uint64 `json:"next"`
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256"`
	Root   string `json:"root"`
	Detail string `json:"detail"` // where to, or why
}
