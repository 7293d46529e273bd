package proxy

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// passThrough copies a tunnel that the configuration names without reading it. It
// is recorded as a tunnel: who, where to, how many bytes, how long. It ends with
// its task like everything else (I6).
func (t *tunnel) passThrough(o opening) {
	defer t.server.metrics.tunnelOpen(t.server.metrics.passedThrough)()

	started := time.Now()
	ctx := t.task.Context()
	open := t.server.taskRecord("tunnel", t.task)
	open.Method, open.Host = o.method(), t.authority
	open.Identified = t.identified
	open.PolicyDigest = t.server.rules.Load().policy.Digest()
	intent := t.server.log.Append(open)
	if err := intent.Wait(ctx); err != nil {
		refused := refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record nothing leaves.").because(err)
		t.refuseOpening(o, refused)
		return
	}

	dial := t.server.dialer.Dial
	if t.server.via != nil {
		dial = t.server.via.Dial
	}
	upstream, err := dial(ctx, "tcp", t.authority)
	if err != nil {
		refused := refuse(UpstreamUnreached, "%s could not be reached.", t.authority).because(err)
		t.refuseOpening(o, refused)
		return
	}
	defer upstream.Close()

	client, seen, err := o.accept()
	if err != nil {
		return
	}
	defer client.Close()

	_, err = upstream.Write(seen)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		agents.Cut(client)
		_ = upstream.Close()
	})
	defer stop()
	up, down := copyBothWays(client, upstream)
	up += int64(len(seen))

	end := t.server.taskRecord("outcome", t.task)
	end.Intent, end.Host = intent.ID(), t.authority
	end.BytesUp, end.BytesDown = up, down
	end.DurationUS = time.Since(started).Microseconds()
	if ctx.Err() != nil {
		end.Code = string(TaskEnded)
	}
	t.server.log.Append(end)
}

// copyBothWays copies until both directions have ended and returns the bytes that
// each carried. If one side closes its direction, so does the copy.
func copyBothWays(agent, upstream net.Conn) (up, down int64) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		down = copyOneWay(agent, upstream)
	}()

	up = copyOneWay(upstream, agent)
	<-done
	return up, down
}

func copyOneWay(dst, src net.Conn) int64 {
	n, err := io.Copy(dst, src)
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return n
	}
	_ = dst.Close()
	return n
}
