package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// maxSecret bounds what is read of one secret, in bytes.
const maxSecret = 64 << 10

// readSecret takes an account's fields from a terminal by asking, or from
// anything else as lines NAME=VALUE. Values keep their spaces. No error
// repeats what was read.
func readSecret(ask io.Writer, in *os.File, names []string) (map[string]string, error) {
	var secret map[string]string
	var err error
	if term.IsTerminal(int(in.Fd())) {
		secret, err = prompt(ask, in, names)
	} else {
		secret, err = secretLines(in)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if secret[n] == "" {
			return nil, fmt.Errorf("field %s is missing or empty", n)
		}
	}
	if len(secret) == 0 {
		return nil, errors.New("no field was given")
	}
	return secret, nil
}

// prompt asks for each field. Only a username is shown as it is typed; a field
// left empty is left out.
func prompt(ask io.Writer, in *os.File, names []string) (map[string]string, error) {
	if len(names) == 0 {
		names = []string{"username", "password", "totp_seed"}
	}
	before, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, before) }()
	secret := map[string]string{}
	for _, n := range names {
		shown := n == "username" || n == "client_id"
		if err := echo(in, *before, shown); err != nil { // before the question: an answer that is pasted at once is not shown either
			return nil, err
		}
		fmt.Fprintf(ask, "%s: ", n)
		var value string
		if shown {
			value, err = typedLine(in)
		} else {
			var b []byte
			b, err = term.ReadPassword(int(in.Fd()))
			fmt.Fprintln(ask)
			value = string(b)
		}
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", n, err)
		}
		if value != "" {
			secret[n] = value
		}
	}
	return secret, nil
}

// echo says whether the terminal shows what is typed.
func echo(in *os.File, t unix.Termios, on bool) error {
	if t.Lflag &^= unix.ECHO; on {
		t.Lflag |= unix.ECHO
	}
	return unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &t)
}

// typedLine reads no further than the line, for the next field is read
// without echo.
func typedLine(in io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxSecret; {
		n, err := in.Read(b)
		if n == 1 && b[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, b[:n]...)
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("the line is too long")
}

func secretLines(in io.Reader) (map[string]string, error) {
	secret := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(in, maxSecret))
	lines.Buffer(nil, maxSecret)
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "" {
			continue
		}
		name, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || !fieldName.MatchString(name) {
			return nil, fmt.Errorf("line %d of standard input is not NAME=VALUE", n)
		}
		if _, twice := secret[name]; twice || value == "" {
			return nil, fmt.Errorf("field %s is empty or given twice", name)
		}
		secret[name] = value
	}
	return secret, lines.Err()
}
