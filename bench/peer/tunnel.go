package peer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// serveTunnel is the base of every ratio: a CONNECT proxy that reads one head,
// dials, and copies bytes. It looks at nothing, decides nothing, records
// nothing. Plain, it copies with io.Copy between two TCP connections, which
// Go does with splice(2), so that the bytes stay in the kernel; buffered, it
// copies through 32 KiB of its own in each direction.
func serveTunnel(to names, buffered bool) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("tunnel: %w", err)
	}
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go carry(c.(*net.TCPConn), to, buffered)
		}
	}()
	return l.Addr().String(), nil
}

func carry(agent *net.TCPConn, to names, buffered bool) {
	defer agent.Close()
	upstream, err := open(agent, to)
	if err != nil {
		fmt.Fprintf(agent, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer upstream.Close()
	if _, err := io.WriteString(agent, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		copyAll(upstream, agent, buffered)
	}()
	copyAll(agent, upstream, buffered)
	<-up
}

// open reads the CONNECT head. The agent says nothing more before the answer,
// so the small reader holds back no byte of the tunnel.
func open(agent *net.TCPConn, to names) (*net.TCPConn, error) {
	if err := agent.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(agent, 1024)
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	for more := line; strings.TrimSpace(more) != ""; {
		if more, err = in.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	authority, _, ok := strings.Cut(strings.TrimPrefix(line, "CONNECT "), " ")
	if !ok {
		return nil, fmt.Errorf("request line %q", line)
	}
	addr, err := to.addr(authority)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), agent.SetReadDeadline(time.Time{})
}

// copyAll copies one direction to its end and passes the end on.
func copyAll(dst, src *net.TCPConn, buffered bool) {
	var err error
	if buffered {
		_, err = io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 32<<10))
	} else {
		_, err = io.Copy(dst, src)
	}
	if err != nil {
		dst.Close()
		src.Close()
		return
	}
	_ = dst.CloseWrite() // fails when the other side is gone, which is the same to us
}
