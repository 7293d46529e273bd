package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/elazarl/goproxy"
)

// passThrough copies a tunnel that the configuration names, without reading it.
// It is on record as a tunnel: who, where to, how much, how long. It ends with
// its task like everything else (I6).
func (t *tunnel) passThrough(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	defer client.Close()
	if refused := t.acquireSlot(); refused != nil {
		_ = t.server.refuseFront(r, t, t.authority, refused).Write(client)
		return
	}
	defer t.task.tunnels.Add(-1)
	defer t.server.metrics.tunnelOpen("pass_through")()
	began, ctx := time.Now(), t.task.Context()
	open := t.server.taskRecord("tunnel", t.task)
	open.Host, open.Method, open.PolicyDigest = t.authority, http.MethodConnect, t.server.rules.Load().policy.Digest()
	ticket := t.server.log.Append(open)
	if err := ticket.Wait(ctx); err != nil {
		_ = t.server.refuseFront(r, t, t.authority, refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record nothing leaves.").because(err)).Write(client)
		return
	}
	dial := t.server.dialer.Dial
	if t.server.via != nil {
		dial = t.server.via.Dial
	}
	upstream, err := dial(ctx, "tcp", t.authority)
	if err != nil {
		_ = t.server.refuseFront(r, t, t.authority, refuse(UpstreamUnreached, "%s could not be reached.", t.authority).because(err)).Write(client)
		return
	}
	defer upstream.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = upstream.Close()
	})
	defer stop()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	up, down := splice(client, upstream)
	end := t.server.taskRecord("outcome", t.task)
	end.Intent, end.Host, end.BytesUp, end.BytesDown = ticket.ID(), t.authority, up, down
	end.DurationUS = time.Since(began).Microseconds()
	if ctx.Err() != nil {
		end.Code = string(TaskEnded)
	}
	t.server.log.Append(end)
}

// splice copies both ways until both directions have ended, passing on each
// half-close as it comes.
func splice(agent, upstream net.Conn) (up, down int64) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		down = copyHalf(agent, upstream)
	}()
	up = copyHalf(upstream, agent)
	<-done
	return up, down
}

func copyHalf(dst, src net.Conn) int64 {
	n, err := io.Copy(dst, src)
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return n
	}
	_ = dst.Close()
	return n
}
