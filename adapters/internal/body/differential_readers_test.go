package body

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// message is what a reader is given.
type message struct {
	contentType string
	query       string
	body        []byte
}

// reading is what a reader says it read. Entries are name and value, or name, file
// name, type and content.
type reading struct {
	Query, Fields, Files []entry
	Tree                 hexText
	Error                string
}

type entry []hexText

type hexText string

func (h *hexText) UnmarshalJSON(b []byte) error {
	var digits string
	if err := json.Unmarshal(b, &digits); err != nil {
		return err
	}
	text, err := hex.DecodeString(digits)
	*h = hexText(text)
	return err
}

// answers are the readings of one message by the name of the reader.
type answers map[string]*reading

// program is an interpreter with readers.
type program struct {
	name string
	ask  func([]message) ([]answers, error)
}

// startPrograms starts the interpreters that are there and says which are not.
func startPrograms(t *testing.T) []program {
	programs := []program{{"go", askGo}}
	for _, p := range []struct {
		name    string
		command []string
		needs   string // a file or folder that is there if what it loads is
	}{
		{"python", []string{"/usr/bin/python3", "testdata/python/readers.py"}, "/usr/lib/python3/dist-packages/django"},
		{"node", []string{"node", "testdata/node/readers.js"}, filepath.Join(nodeModules(), "busboy")},
		{"perl", []string{"perl", "testdata/perl/readers.pl"}, "/usr/share/perl5/CGI.pm"},
		{"ruby", []string{"ruby", "testdata/ruby/readers.rb"}, "/usr/share/doc/ruby-rack"},
		{"java", []string{"java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/tomcat9-coyote.jar:/usr/share/java/tomcat9-util.jar:/usr/share/java/tomcat9-juli.jar", "testdata/java/Readers.java"}, "/usr/share/java/tomcat9-coyote.jar"},
	} {
		_, missing := exec.LookPath(p.command[0])
		if missing == nil && p.name == "java" {
			_, missing = exec.LookPath("javac") // which compiles the readers
		}
		if missing == nil {
			_, missing = os.Stat(p.needs)
		}
		if missing != nil {
			skipReaders(t, p.name, missing)
			continue
		}
		ask, err := startProgram(t, p.command)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		programs = append(programs, program{p.name, ask})
	}

	if _, missing := exec.LookPath("php"); missing != nil {
		skipReaders(t, "php", missing)
	} else {
		programs = append(programs, program{"php", startPHP(t)})
	}
	return programs
}

// skipReaders shows which comparison is left out.
func skipReaders(t *testing.T, program string, missing error) {
	t.Run("readers of "+program, func(t *testing.T) {
		t.Skipf("%v: run cmd/byline/e2e/install.sh", missing)
	})
}

func nodeModules() string {
	cache := os.Getenv("BYLINE_E2E_CACHE")
	if cache == "" {
		user, _ := os.UserCacheDir()
		cache = filepath.Join(user, "byline-e2e")
	}
	return filepath.Join(cache, "body", "node_modules")
}

// startProgram starts a program of testdata, which ends with the test.
func startProgram(t *testing.T, command []string) (func([]message) ([]answers, error), error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "BYLINE_NODE_MODULES="+nodeModules())
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var faults bytes.Buffer
	cmd.Stderr = &faults
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})

	lines := bufio.NewReaderSize(out, 1<<20)
	return func(messages []message) ([]answers, error) {
		go func() {
			w := bufio.NewWriter(in)
			for i := range messages {
				for _, text := range [][]byte{[]byte(messages[i].contentType), []byte(messages[i].query), messages[i].body} {
					w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
					w.Write(text)
				}
			}
			w.Flush()
		}()

		all := make([]answers, len(messages))
		for i := range messages {
			line, err := lines.ReadBytes('\n')
			if err == nil {
				err = json.Unmarshal(line, &all[i])
			}
			if err != nil {
				return nil, fmt.Errorf("message %d: %w; it says %.2000s", i, err, faults.Bytes())
			}
		}
		return all, nil
	}, nil
}

// startPHP starts PHP's server, whose parsers run before the program does.
func startPHP(t *testing.T) func([]message) ([]answers, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()

	cmd := exec.Command("php", "-d", "display_errors=0", "-d", "log_errors=0", "-d", "max_input_vars=100000", "-d", "max_file_uploads=1000", "-d", "max_multipart_body_parts=100000",
		"-d", "upload_max_filesize=64M", "-d", "post_max_size=64M", "-S", address, "testdata/php/router.php")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("php -S does not listen: %v", err)
		}
	}

	return func(messages []message) ([]answers, error) {
		all := make([]answers, len(messages))
		for i := range messages {
			var err error
			if all[i], err = askPHP(address, &messages[i]); err != nil {
				return nil, fmt.Errorf("message %d: %w", i, err)
			}
		}
		return all, nil
	}
}

func askPHP(address string, m *message) (answers, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	head := "POST /?" + m.query + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + fmt.Sprint(len(m.body)) + "\r\n"
	if m.contentType != "" {
		head += "Content-Type: " + m.contentType + "\r\n"
	}
	if _, err := conn.Write(append([]byte(head+"\r\n"), m.body...)); err != nil {
		return nil, err
	}

	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answers{"php": {Error: err.Error()}}, nil // php -S drops what it takes for no HTTP
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return answers{"php": {Error: answer.Status}}, nil
	}
	var read answers
	return read, json.Unmarshal(text, &read)
}

// askGo is the standard library.
func askGo(messages []message) ([]answers, error) {
	all := make([]answers, len(messages))
	for i := range messages {
		m := &messages[i]
		r := &reading{}
		switch {
		case strings.Contains(m.contentType, "json"), strings.Contains(m.contentType, "xml"):
			continue // the fuzz targets compare these
		case strings.HasPrefix(m.contentType, "multipart/"):
			if err := readFormByGo(m, r); err != nil {
				r = &reading{Error: err.Error()}
			}
		default:
			query, err := url.ParseQuery(m.query)
			fields, errFields := url.ParseQuery(string(m.body))
			if err != nil || errFields != nil {
				r.Error = fmt.Sprint(err, errFields)
				break
			}
			r.Query, r.Fields = entriesOf(query), entriesOf(fields)
		}
		all[i] = answers{"go": r}
	}
	return all, nil
}

func readFormByGo(m *message, r *reading) error {
	_, params, err := mime.ParseMediaType(m.contentType)
	if err != nil {
		return err
	}
	form, err := multipart.NewReader(bytes.NewReader(m.body), params["boundary"]).ReadForm(64 << 20)
	if err != nil {
		return err
	}
	r.Fields = entriesOf(form.Value)
	for name, headers := range form.File {
		for _, h := range headers {
			f, err := h.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(f)
			if err != nil {
				return err
			}
			r.Files = append(r.Files, entry{hexText(name), hexText(h.Filename), hexText(h.Header.Get("Content-Type")), hexText(content)})
		}
	}
	return nil
}

func entriesOf(values map[string][]string) (entries []entry) {
	for name, all := range values {
		for _, value := range all {
			entries = append(entries, entry{hexText(name), hexText(value)})
		}
	}
	return entries
}

// askAll asks all programs at once and joins what they say of each message.
func askAll(t *testing.T, programs []program, messages []message) []answers {
	joined := make([]answers, len(messages))
	for i := range joined {
		joined[i] = answers{}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, p := range programs {
		all.Go(func() {
			began := time.Now()
			said, err := p.ask(messages)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
				return
			}
			t.Logf("%s read %d messages in %v", p.name, len(messages), time.Since(began).Round(time.Millisecond))
			for i := range said {
				for reader, r := range said[i] {
					joined[i][reader] = r
				}
			}
		})
	}
	all.Wait()
	return joined
}
