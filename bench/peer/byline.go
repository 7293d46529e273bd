package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// startByline starts `byline serve` with every control in force: an installation
// that `byline init` made, durable records on the disk under Dir, and an account
// of the application for each task.
func (tb *Testbed) startByline(ctx context.Context, trustFile string) (*Peer, error) {
	dir, err := os.MkdirTemp(tb.Dir, "byline-")
	if err != nil {
		return nil, err
	}
	// The path of a Unix socket is limited to 107 bytes, so the socket needs a
	// short one.
	socketDir, err := os.MkdirTemp("", "byline-bench-")
	if err != nil {
		return nil, err
	}

	in := &installation{
		testbed: tb,
		dir:     dir,
		config:  filepath.Join(dir, "byline.yaml"),
		socket:  filepath.Join(socketDir, "control.sock"),
	}
	if err := in.install(ctx, trustFile); err != nil {
		return nil, fmt.Errorf("installing: %w", err)
	}

	p, err := in.serve(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.createTasks(ctx, p); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// serve starts the server and waits until its log names the address on which it
// listens.
func (in *installation) serve(ctx context.Context) (*Peer, error) {
	cmd := exec.Command(in.testbed.BylineExe, "--config", in.config, "serve")
	cmd.Env = append(os.Environ(), in.testbed.Tuning.Env...)

	stderr, childStderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = childStderr

	proc, err := startProcess(ctx, in.testbed.Core, cmd)
	childStderr.Close()
	if err != nil {
		stderr.Close()
		return nil, err
	}

	p := &Peer{
		Name:            Byline,
		Intercepts:      true,
		ReplacesSession: true,
		SpeaksH2:        true,
		process:         proc,
		cleanUp:         func() { os.RemoveAll(filepath.Dir(in.socket)) },
		summarize:       in.verifyRecord,
	}
	log := bufio.NewReader(stderr)
	listening := make(chan error, 1)
	go func() {
		defer stderr.Close()
		addr, err := readListenAddress(log)
		p.Addr = addr
		listening <- err
		in.saveLog(log)
	}()

	select {
	case err = <-listening:
	case <-time.After(30 * time.Second):
		err = errors.New("it did not report within 30 seconds that it serves")
	}

	if err == nil {
		p.Roots, err = in.roots()
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("byline serve: %w", err)
	}
	return p, nil
}

// readListenAddress reads the server's log up to the line that names the address.
func readListenAddress(log *bufio.Reader) (string, error) {
	seen := ""
	for {
		line, err := log.ReadBytes('\n')
		if err != nil {
			return "", fmt.Errorf("it ended: %s", seen)
		}
		var entry struct{ Message, Listen string }
		if json.Unmarshal(line, &entry) == nil && entry.Message == "serving" {
			return entry.Listen, nil
		}
		seen += string(line)
	}
}

// saveLog writes the rest of the server's log to a file next to the
// configuration. It returns when the server has ended.
func (in *installation) saveLog(log io.Reader) {
	f, err := os.Create(filepath.Join(in.dir, "serve.log"))
	if err != nil {
		_, _ = io.Copy(io.Discard, log) // or the server would block on a full pipe
		return
	}
	defer f.Close()
	_, _ = io.Copy(f, log)
}

// verifyRecord verifies the record of the run with only the public key, and
// returns a line about it for the report.
func (in *installation) verifyRecord() (string, error) {
	publicKey, err := audit.LoadPublicKey(filepath.Join(in.dir, "data", "audit.key.pub"))
	if err != nil {
		return "", err
	}
	r, err := audit.Verify(filepath.Join(in.dir, "data", "audit"), publicKey, nil)
	if err != nil {
		return "", fmt.Errorf("the record of the run: %w", err)
	}
	closed := "closed by a checkpoint"
	if !r.Closed {
		closed = "not closed by a checkpoint"
	}
	return fmt.Sprintf("Byline's record of the comparison was verified afterwards with only the public key: %d records in %d segments, "+
		"%d intents without an outcome, %s.", r.Records, r.Segments, len(r.Open), closed), nil
}
