package oplog

import (
	"bytes"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// Stderr is standard error of a process whose every line must be JSON. What libraries
// and the Go runtime write there goes through a pipe and becomes part of a line.
type Stderr struct {
	// File is where standard error was connected to. The log is written to it.
	File *os.File

	pipe *os.File // its end to read
	done chan struct{}
}

// TakeStderr connects standard error to a pipe. The caller calls Log and, at the end
// of the process, GiveBack.
func TakeStderr() (*Stderr, error) {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "/dev/stderr")
	r, w, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	defer w.Close()

	// A dying process writes its trace although nobody reads the pipe any more: it
	// must not wait for that.
	raw, err := w.SyscallConn()
	if err == nil {
		var dupErr error
		err = raw.Control(func(fd uintptr) {
			dupErr = errors.Join(unix.SetNonblock(int(fd), true), unix.Dup3(int(fd), 2, unix.O_CLOEXEC))
		})
		err = errors.Join(err, dupErr)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), r.Close())
	}
	return &Stderr{File: file, pipe: r, done: make(chan struct{})}, nil
}

// quiet is how long a text must have come to an end before it is logged: a trace of
// many lines is one event.
const quiet = 50 * time.Millisecond

// maxText bounds the text of one line of the log.
const maxText = 64 << 10

// Log makes everything that is written to standard error, and to the standard loggers
// of Go, a line of to.
func (s *Stderr) Log(to zerolog.Logger) {
	log.SetFlags(0)
	log.SetOutput(os.Stderr)

	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 4<<10)
			n, err := s.pipe.Read(b)
			if n > 0 {
				chunks <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(s.done)
		logTexts(chunks, to)
	}()
}

// logTexts logs texts that come in chunks.
func logTexts(chunks <-chan []byte, to zerolog.Logger) {
	var text []byte
	write := func() {
		text = bytes.TrimSpace(text)
		if len(text) > 0 {
			to.Error().Str("text", string(text)).Msg("standard error")
		}
		text = nil
	}

	for {
		var ended <-chan time.Time
		if len(text) > 0 {
			ended = time.After(quiet)
		}
		select {
		case b, ok := <-chunks:
			if !ok {
				write()
				return
			}
			text = append(text, b...)
			if len(text) >= maxText {
				write()
			}
		case <-ended:
			write()
		}
	}
}

// GiveBack connects standard error as it was, and returns once what was written
// before is logged.
func (s *Stderr) GiveBack() {
	_ = unix.Dup3(int(s.File.Fd()), 2, 0) // closes the pipe: nobody else has its other end
	select {
	case <-s.done:
	case <-time.After(time.Second):
	}
}

// crashFile is the file in data_dir that the Go runtime writes the trace of a fatal
// error to.
const crashFile = "crash.txt"

// crashRoom is reserved for it in bytes, so that a full disk does not hide why the
// process crashed.
const crashRoom = 256 << 10

// LogCrash logs the crash of the process before, if there was one, and makes the Go
// runtime write the trace of a crash of this process to a file in dir, which nobody
// else may read. A running process cannot log its own crash.
func LogCrash(dir string, to zerolog.Logger) error {
	path := filepath.Join(dir, crashFile)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if text := bytes.TrimRight(before, "\x00\n"); len(text) > 0 {
		kept := filepath.Join(dir, "crash-before.txt")
		err = os.Rename(path, kept)
		if err != nil {
			return err
		}
		to.Error().Str("text", string(text[:min(len(text), maxText)])).Str("file", kept).
			Msg("the process before this one crashed")
	}

	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close() // the runtime has its own descriptor
	_ = unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, crashRoom)
	return debug.SetCrashOutput(file, debug.CrashOptions{})
}
