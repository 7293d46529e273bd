package peer

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

// readConnect reads the head of a CONNECT request and returns its authority. An
// agent sends nothing more before the response, so that the buffered reader holds
// no byte of the tunnel.
func readConnect(conn net.Conn) (authority string, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(conn, 1024)
	requestLine, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	for line := requestLine; strings.TrimSpace(line) != ""; {
		line, err = in.ReadString('\n')
		if err != nil {
			return "", err
		}
	}
	authority, _, ok := strings.Cut(strings.TrimPrefix(requestLine, "CONNECT "), " ")
	if !ok {
		return "", fmt.Errorf("request line %q", requestLine)
	}
	return authority, conn.SetReadDeadline(time.Time{})
}
