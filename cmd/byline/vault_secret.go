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

// fieldName matches the name of a field of a secret.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// maxSecret bounds the input for one secret, in bytes.
const maxSecret = 64 << 10

// readSecret reads an account's fields: by asking on a terminal, or from anything else
// as lines NAME=VALUE. Values keep their spaces. The fields in names are required; needed
// are those to ask for if there are none. No error repeats what was read.
func readSecret(prompts io.Writer, in *os.File, names, needed []string) (map[string]string, error) {
	var secret map[string]string
	var err error
	if term.IsTerminal(int(in.Fd())) {
		asked := names
		if len(asked) == 0 {
			asked = needed
		}
		secret, err = askForSecret(prompts, in, asked)
	} else {
		secret, err = readSecretLines(in)
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

// askForSecret asks for each field on the terminal in. Only a user name, a client id
// and a log_name are shown as they are typed. A field that is left empty is left out.
func askForSecret(prompts io.Writer, in *os.File, names []string) (map[string]string, error) {
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
		shown := n == "username" || n == "client_id" || n == "log_name"

		// Echo is switched before the prompt is written, so that an answer which is
		// pasted at once is not shown either.
		if err := setEcho(in, *before, shown); err != nil {
			return nil, err
		}
		fmt.Fprintf(prompts, "%s: ", n)

		value, err := readAnswer(prompts, in, shown)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", n, err)
		}
		if value != "" {
			secret[n] = value
		}
	}
	return secret, nil
}

// readAnswer reads one line of the terminal. The end of a line that is not shown is
// written in its place.
func readAnswer(prompts io.Writer, in *os.File, shown bool) (string, error) {
	if shown {
		return readLine(in)
	}

	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(prompts)
	return string(b), err
}

// setEcho sets whether the terminal shows what is typed. The other settings are those of
// t.
func setEcho(in *os.File, t unix.Termios, on bool) error {
	t.Lflag &^= unix.ECHO
	if on {
		t.Lflag |= unix.ECHO
	}
	return unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &t)
}

// readLine reads byte by byte, and nothing beyond the line: the next field is read
// without echo.
func readLine(in io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < maxSecret {
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

// readSecretLines reads lines NAME=VALUE. Empty lines are skipped.
func readSecretLines(in io.Reader) (map[string]string, error) {
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
