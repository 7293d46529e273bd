package wire

import (
	"errors"
	"io"
	"net"
	"time"
)

// join writes the 101 and then carries bytes both ways until one side ends.
func (c *h1) join(resp *Response) (err error) {
	var sent, received int64
	defer func() {
		_ = resp.Switched.Close()
		closeAnswer(resp, sent, received, err)
	}()
	head, err := appendAnswerHead(nil, &delivery{resp: resp})
	if err != nil {
		return err
	}
	if err := c.send(head); err != nil {
		return err
	}
	_ = c.conn.SetDeadline(time.Time{})
	sent, received, err = splice(struct {
		io.Reader
		io.Writer
	}{&c.src, c.conn}, resp.Switched, func() { cut(c.conn) })
	return err
}

// splice carries bytes between an agent and the SaaS until one side ends, and
// then ends the other. cutAgent must make the agent's reads and writes fail.
func splice(agent io.ReadWriter, saas io.ReadWriteCloser, cutAgent func()) (sent, received int64, err error) {
	type result struct {
		n   int64
		err error
	}
	up := make(chan result, 1)
	go func() {
		n, err := pass(saas, agent)
		_ = saas.Close()
		up <- result{n, err}
	}()
	sent, err = pass(agent, saas)
	cutAgent()
	_ = saas.Close()
	other := <-up
	if err == nil && other.n == 0 && sent == 0 {
		err = other.err
	}
	if isClosed(err) {
		err = nil
	}
	return sent, other.n, err
}

func isClosed(err error) bool { return err == io.EOF || errors.Is(err, net.ErrClosed) }

// pass copies until from ends, without looking for shortcuts that would read
// past a wrapper.
func pass(to io.Writer, from io.Reader) (n int64, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	for {
		m, err := from.Read(buf[:])
		if m > 0 {
			w, werr := to.Write(buf[:m])
			n += int64(w)
			if werr != nil {
				return n, werr
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
