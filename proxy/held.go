package proxy

import (
	"context"
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

const (
	// copyCost is what an exchange holds from its beginning to its end: its
	// goroutine, and the buffer that its bodies are copied with.
	copyCost = 48 << 10
	// uploadWindow is how many bytes of a body that is read, or of messages, HTTP/2
	// lets an agent send ahead.
	uploadWindow = 256 << 10
	// downloadWindow is the same for the answer of an application.
	downloadWindow = 512 << 10

	// bodyCost is how many bytes are held for each byte of a body that is read to
	// classify a request: the body, what is understood of it, what is written from
	// that, and what is garbage while buffers grow. JSON of many short values takes
	// most.
	bodyCost = 6
)

// heldBytes is what one exchange has taken from the budget. The zero value, which
// has no budget, takes nothing. It belongs to the exchange's goroutine, except
// that giveBackAll may be called by any.
type heldBytes struct {
	budget *budget
	task   *taskBudget
	bytes  atomic.Int64
}

// keepOnly gives back what the exchange holds beyond n bytes.
func (h *heldBytes) keepOnly(n int64) {
	for {
		held := h.bytes.Load()
		if held <= n {
			return
		}
		if h.bytes.CompareAndSwap(held, n) {
			h.budget.giveBack(h.task, held-n)
			return
		}
	}
}

// giveBackAll is called at the end of the exchange.
func (h *heldBytes) giveBackAll() { h.keepOnly(0) }

// holdMemory takes from the budget of the task all that the exchange may come to hold: its
// head, the buffers that copy bodies, what protocols buffer unread, the start of an
// answer that is read before it is passed on, and the body if it is read before the
// decision. An exchange that needs more than a task may hold is given just that, so
// that one that is alone always gets on.
func (x *exchange) holdMemory(ctx context.Context) error {
	s := x.server
	if s.budget == nil || x.tunnel.task == nil {
		return nil
	}

	n := x.relayCost(-1) + endedPeekLimit + x.uploadCost() + x.bodyCostAtMost()
	n = min(n, s.budget.perTask)
	if err := s.budget.take(ctx, &x.tunnel.task.budget, n); err != nil {
		return x.overBudget(err)
	}
	x.held.budget, x.held.task = s.budget, &x.tunnel.task.budget
	x.held.bytes.Store(n)
	return nil
}

// bodyCostAtMost is what is held of the body until it is known how much of it had to
// be read.
func (x *exchange) bodyCostAtMost() int64 {
	if x.in.Body == nil {
		return 0
	}
	if x.bodyUse() != adapters.BodyRead {
		if x.isHeldToJudge() {
			return bodyCost * x.in.Length
		}
		return 0
	}

	length, limit := x.in.Length, x.maxReadBody()
	switch {
	case adapters.IsUpload(x.in.Fields): // of a form with files only the fields are held
		return bodyCost*windowOf(length, limit) + maxFilesInMemory
	case length > limit: // refused unread
		return 0
	}
	return bodyCost * windowOf(length, limit+1)
}

// keepBody gives back what was taken for the body and is not needed now that it was
// read.
func (x *exchange) keepBody() {
	x.heldForBody = bodyCost * (int64(len(x.body)) + x.heldOfUpload)
	x.held.keepOnly(x.relayCost(-1) + endedPeekLimit + x.uploadCost() + x.heldForBody)
}

// uploadCost is what HTTP/2 buffers of the agent's body, or of its messages, before it
// is read.
func (x *exchange) uploadCost() int64 {
	switch {
	case x.in.Proto != "HTTP/2.0":
		return 0
	case x.in.Upgrade != "":
		return uploadWindow
	case x.in.Body == nil:
		return 0
	}
	return windowOf(x.in.Length, uploadWindow)
}

// relayCost is what an exchange holds while an answer of that length streams, which is
// -1 if it is not known.
func (x *exchange) relayCost(length int64) int64 {
	n := copyCost + 2*x.headBytes() // as it came and as it goes out
	if x.mayUseHTTP2() {
		return n + windowOf(length, downloadWindow)
	}
	return n + windowOf(length, int64(x.server.opt.Wire.KeepBody))
}

// headBytes is how long the head of the request is. It does not count a session that was
// cut from the path.
func (x *exchange) headBytes() int64 {
	if x.lengthOfHead == 0 {
		n := len(x.in.Path) + len(x.in.Query)
		for i := range x.in.Fields {
			n += len(x.in.Fields[i].Name) + len(x.in.Fields[i].Value)
		}
		x.lengthOfHead = int64(n)
	}
	return x.lengthOfHead
}

// mayUseHTTP2 reports whether the application may be reached over HTTP/2, where an
// answer is buffered before anybody reads it.
func (x *exchange) mayUseHTTP2() bool {
	a := x.tunnel.adapter(x.rules)
	if a == nil {
		return false
	}
	switch a.Upstream().Protocol {
	case "h1":
		return false
	case "h2":
		return true
	}
	return x.in.Proto == "HTTP/2.0"
}

// windowOf returns how much of a body of that length is buffered at most.
func windowOf(length, window int64) int64 {
	if length < 0 {
		return window
	}
	return min(length, window)
}

// overBudget returns the refusal for a request that found no memory.
func (x *exchange) overBudget(err error) error {
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}

	r := refuse(OverBudget, "this task, or all tasks together, hold as many bytes of requests and answers as they may, and none became free in time. "+
		"Send fewer requests at once, read the answers that are open, and try again. The operator sets the limits (wire.max_task_held_bytes, wire.max_held_bytes).").because(err)
	r.Retry = 1
	return r
}

// keepRelay gives back what is not needed while the answer streams.
func (x *exchange) keepRelay(resp *wire.Response) {
	length := resp.Length
	if resp.Switched != nil {
		length = -1 // the messages
	}
	x.held.keepOnly(x.relayCost(length) + x.uploadCost() + x.heldForBody)
}

// shieldCost is how many bytes are held for each byte of a message of the application:
// the message, and the garbage while its buffer grows.
const shieldCost = 2

// holdMessage takes room for a large message of a WebSocket from the budget of the
// task. The wire calls it before the message is read.
func (x *exchange) holdMessage(ctx context.Context, n int, fromAgent bool) (release func(), err error) {
	s := x.server
	if s.budget == nil {
		return func() {}, nil
	}

	cost := int64(n) * shieldCost
	if fromAgent {
		cost = int64(n) * bodyCost
	}
	cost = min(cost, s.budget.perTask/2) // the WebSocket itself holds some
	task := &x.tunnel.task.budget
	if err := s.budget.take(ctx, task, cost); err != nil {
		return nil, &wire.CloseError{Status: wire.CloseTryAgain, Reason: string(OverBudget), Err: x.overBudget(err)}
	}
	return func() { s.budget.giveBack(task, cost) }, nil
}
