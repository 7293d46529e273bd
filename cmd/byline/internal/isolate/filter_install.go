package isolate

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// installFilter installs the filter of a program, and passes the file by which init
// hears of its calls.
func installFilter(parent channel, rules []rule) error {
	if err := checkStandardFiles(); err != nil {
		return err
	}
	calls, err := load(rules, true)
	if err != nil {
		return err
	}
	return parent.send(message{Kind: kindFilter}, calls)
}

// checkStandardFiles refuses to start with a socket that reaches the network outside by
// an address in memory, where no filter sees it.
func checkStandardFiles() error {
	for fd := range 3 {
		kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		if err == nil && kind != unix.SOCK_STREAM && kind != unix.SOCK_SEQPACKET {
			return fmt.Errorf("standard file %d is a socket for datagrams, which reaches the network outside", fd)
		}
	}
	return nil
}
