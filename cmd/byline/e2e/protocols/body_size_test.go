package protocols

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
)

// maxGrowth is how many bytes of memory the server may use at any moment beyond
// what it used before the first large body.
const maxGrowth = 64 << 20

// largeBodies are the bytes that move in each direction in each cell. Each
// protocol carries gigabytes once; the mixed cells need less.
var largeBodies = []struct {
	from, to string
	size     int64
}{
	{"h1", "h1", 2 << 30},
	{"h2", "h2", 2 << 30},
	{"h1", "h2", 64 << 20},
	{"h2", "h1", 64 << 20},
}

// maxTextSize bounds texts, which Byline masks and therefore reads slower.
const maxTextSize = 32 << 20

// TestMemoryDoesNotGrowWithBodySize compares the memory of the server's process
// before the first large body with the most that it ever used.
func TestMemoryDoesNotGrowWithBodySize(t *testing.T) {
	m := newMatrix(t, "")
	b := startBulkTransfer(t, m)
	m.start()
	for _, k := range largeBodies { // open connections and allocate buffers
		b.move(t, k.from, k.to, "warm", "application/octet-stream", 1<<20)
	}

	before := m.serverMemory(t, "VmRSS")
	for _, k := range largeBodies {
		if testing.Short() {
			k.size = min(k.size, 16<<20)
		}
		t.Run(k.from+" to "+k.to, func(t *testing.T) {
			b.move(t, k.from, k.to, "down", "application/octet-stream", k.size)
			b.move(t, k.from, k.to, "up", "application/octet-stream", k.size)
			b.move(t, k.from, k.to, "text", "text/plain", min(k.size, maxTextSize))

			most := m.serverMemory(t, "VmHWM")
			t.Logf("%d MiB each way: %d MiB of memory before, at most %d MiB", k.size>>20, before>>20, most>>20)
			if most-before > maxGrowth {
				t.Errorf("the server's memory grew by %d MiB, want at most %d MiB", (most-before)>>20, maxGrowth>>20)
			}
		})
	}
	b.checkRecorded(t)
}

// bulkTransfer is a process of the program in the folder of that name, which is
// agent and application for large bodies.
type bulkTransfer struct {
	m        *matrix
	commands *json.Encoder
	results  *json.Decoder
	moved    map[string]int64 // path → bytes
}

// startBulkTransfer builds the program without the race detector, starts it as
// an application and adds adapters for its addresses.
func startBulkTransfer(t *testing.T, m *matrix) *bulkTransfer {
	t.Helper()

	path := filepath.Join(t.TempDir(), "bulktransfer")
	build := exec.Command("go", "build", "-o", path, "./bulktransfer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build bulktransfer: %v\n%s", err, out)
	}

	c := exec.Command(path)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.Wait()
	})
	b := &bulkTransfer{m, json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out)), map[string]int64{}}

	const user = "agent-01"
	password := m.origin.addUser(user)
	cert, key := m.origin.authority.writeLeaf(t)
	var addresses struct{ H1, H2 string }
	b.call(t, map[string]any{"Cert": cert, "Key": key, "User": user, "Password": password}, &addresses)
	for protocol, addr := range map[string]string{"h1": addresses.H1, "h2": addresses.H2} {
		m.addAdapter(protocol, protocol, "https://"+addr, m.trustOrigin(), 0)
		m.PutAccount(protocol, user, map[string]string{"username": user, "password": password})
	}
	return b
}

// call sends a command to the process and decodes its result.
func (b *bulkTransfer) call(t *testing.T, command map[string]any, result any) {
	t.Helper()
	if err := b.commands.Encode(command); err != nil {
		t.Fatal(err)
	}
	if err := b.results.Decode(result); err != nil {
		t.Fatalf("read the result of bulktransfer: %v", err)
	}
}

// move moves a body and checks that it arrives whole. what begins the path; the
// agent sends the body if it is "up" and receives it otherwise.
func (b *bulkTransfer) move(t *testing.T, from, to, what, mediaType string, size int64) {
	t.Helper()
	path := fmt.Sprintf("/%s/%s-%s", what, from, to)
	var result struct {
		Bytes int64
		Error string
	}
	b.call(t, map[string]any{
		"Proxy":    fmt.Sprintf("http://%s:%s@%s", b.m.task.ID, b.m.task.Token, b.m.Listen),
		"Roots":    filepath.Join(b.m.Dir, "data", "certs", "root.crt"),
		"URL":      "https://" + to + ".acme.test" + path,
		"Borrowed": b.m.borrowed.String(),
		"HTTP2":    from == "h2", "Up": what == "up", "Type": mediaType, "Size": size,
	}, &result)
	if result.Bytes != size || result.Error != "" {
		t.Errorf("%s as %s: %d of %d bytes arrived, error %q", path, mediaType, result.Bytes, size, result.Error)
	}
	b.moved[path] = size
}

// checkRecorded checks that the record has an outcome with the right number of
// bytes for every body.
func (b *bulkTransfer) checkRecorded(t *testing.T) {
	t.Helper()
	var outcomes map[string]audit.Record
	b.m.WaitUntil("all bodies are on record", func() bool {
		outcomes = map[string]audit.Record{}
		for _, r := range b.m.Records() {
			if r.Kind == "outcome" && r.Intent != "" && r.Path != "" {
				outcomes[r.Path] = r
			}
		}
		return len(outcomes) == len(b.moved)
	})
	for path, size := range b.moved {
		r := outcomes[path]
		if n := max(r.BytesUp, r.BytesDown); r.Status != 200 || n != size {
			t.Errorf("the outcome of %s has status %d and %d bytes, want 200 and %d", path, r.Status, n, size)
		}
	}
}

// serverMemory returns a value from /proc/PID/status of the server, in bytes.
func (m *matrix) serverMemory(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.ServerPID()), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil {
		t.Skipf("/proc has no %s: %v", name, err)
	}
	return kib << 10
}
