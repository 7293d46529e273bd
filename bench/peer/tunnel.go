package peer

import (
	"fmt"
	"io"
	"net"
)

// serveTunnel starts the base of every ratio: a CONNECT proxy that reads one
// request head, dials, and copies bytes. It inspects nothing, decides nothing and
// records nothing. Unbuffered, it copies with io.Copy between two TCP
// connections, which uses splice(2), so that the bytes stay in the kernel.
// Buffered, it copies through 32 KiB per direction.
func serveTunnel(hosts hostTable, buffered bool) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("tunnel: %w", err)
	}
	go func() { // ends with the process
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go carryTunnel(conn.(*net.TCPConn), hosts, buffered)
		}
	}()
	return l.Addr().String(), nil
}

func carryTunnel(agent *net.TCPConn, hosts hostTable, buffered bool) {
	defer agent.Close()
	upstream, err := dialForAgent(agent, hosts)
	if err != nil {
		fmt.Fprintf(agent, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer upstream.Close()
	if _, err := io.WriteString(agent, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}

	uploaded := make(chan struct{})
	go func() {
		defer close(uploaded)
		copyDirection(upstream, agent, buffered)
	}()
	copyDirection(agent, upstream, buffered)
	<-uploaded
}

// dialForAgent reads the CONNECT request of an agent and dials what it asks for.
func dialForAgent(agent *net.TCPConn, hosts hostTable) (*net.TCPConn, error) {
	authority, err := readConnect(agent)
	if err != nil {
		return nil, err
	}
	addr, err := hosts.addressOf(authority)
	if err != nil {
		return nil, err
	}
	upstream, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return upstream.(*net.TCPConn), nil
}

// copyDirection copies one direction until it ends, and then ends it towards dst.
// If copying fails, it closes both connections.
func copyDirection(dst, src *net.TCPConn, buffered bool) {
	var err error
	if buffered {
		// The wrappers hide the methods that would use splice(2).
		_, err = io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 32<<10))
	} else {
		_, err = io.Copy(dst, src)
	}
	if err != nil {
		dst.Close()
		src.Close()
		return
	}
	_ = dst.CloseWrite() // fails if the other side has closed the connection
}
