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

// mostGrowth is how many bytes the server may hold at any moment beyond what it
// held before.
const mostGrowth = 64 << 20

// bigBodies says how many bytes go each way in each cell. Gigabytes cross once for
// each protocol on either side; what is different between the cells shows in less.
var bigBodies = []struct {
	from, to string
	size     int64
}{
	{"h1", "h1", 2 << 30},
	{"h2", "h2", 2 << 30},
	{"h1", "h2", 64 << 20},
	{"h2", "h1", 64 << 20},
}

// textSize is how many bytes of text are read for secrets on their way.
const textSize = 32 << 20

// TestBodiesOfGigabytesTakeTheMemoryOfASmallOne looks at the server's process: at
// what it holds before, and at the most that it ever held.
func TestBodiesOfGigabytesTakeTheMemoryOfASmallOne(t *testing.T) {
	m := found(t, "")
	b := startBulk(t, m)
	m.begin()
	for _, k := range bigBodies {
		b.moves(t, k.from, k.to, "warm", "application/octet-stream", 1<<20) // connections and buffers are there
	}
	before := m.memory(t, "VmRSS")
	for _, k := range bigBodies {
		if testing.Short() {
			k.size = min(k.size, 16<<20)
		}
		t.Run(k.from+" to "+k.to, func(t *testing.T) {
			b.moves(t, k.from, k.to, "down", "application/octet-stream", k.size)
			b.moves(t, k.from, k.to, "up", "application/octet-stream", k.size)
			b.moves(t, k.from, k.to, "text", "text/plain", min(k.size, textSize))
			most := m.memory(t, "VmHWM")
			t.Logf("%d MiB each way: %d MiB before, %d MiB at the most", k.size>>20, before>>20, most>>20)
			if most-before > mostGrowth {
				t.Errorf("the server grew by %d MiB", (most-before)>>20)
			}
		})
	}
	b.areOnRecord(t)
}

// bulk is the program of that name: both ends of the bodies.
type bulk struct {
	m    *matrix
	jobs *json.Encoder
	done *json.Decoder
	want map[string]int64 // path → bytes that its outcome is to name
}

// startBulk builds it without the race detector and has it serve an application.
func startBulk(t *testing.T, m *matrix) *bulk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bulk")
	build := exec.Command("go", "build", "-o", path, "./bulktransfer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(path)
	run.Stderr = os.Stderr
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = run.Wait() })
	b := &bulk{m, json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out)), map[string]int64{}}
	cert, key := m.origin.issuer.save(t)
	const user = "agent-01"
	password := m.origin.enrol(user)
	var at struct{ H1, H2 string }
	b.ask(t, map[string]any{"Cert": cert, "Key": key, "User": user, "Password": password}, &at)
	for to, addr := range map[string]string{"h1": at.H1, "h2": at.H2} {
		m.adapter(to, to, "https://"+addr, m.trusting(), 0)
		m.PutAccount(to, user, map[string]string{"username": user, "password": password})
	}
	return b
}

func (b *bulk) ask(t *testing.T, job map[string]any, answer any) {
	t.Helper()
	if err := b.jobs.Encode(job); err != nil {
		t.Fatal(err)
	}
	if err := b.done.Decode(answer); err != nil {
		t.Fatalf("bulk ended: %v", err)
	}
}

// moves wants a body to arrive whole; what "up" or anything else.
func (b *bulk) moves(t *testing.T, from, to, what, kind string, size int64) {
	t.Helper()
	path := fmt.Sprintf("/%s/%s-%s", what, from, to)
	var moved struct {
		Bytes int64
		Error string
	}
	b.ask(t, map[string]any{"Proxy": fmt.Sprintf("http://%s:%s@%s", b.m.task.ID, b.m.task.Token, b.m.Listen), "Roots": filepath.Join(b.m.Dir, "data", "certs", "root.crt"),
		"URL": "https://" + to + ".acme.test" + path, "Lent": b.m.lent.String(), "HTTP2": from == "h2", "Up": what == "up", "Type": kind, "Size": size}, &moved)
	if moved.Bytes != size || moved.Error != "" {
		t.Errorf("%s as %s: %d of %d bytes arrived; %s", path, kind, moved.Bytes, size, moved.Error)
	}
	b.want[path] = size
}

// areOnRecord wants an intent and an outcome for each body, with its bytes.
func (b *bulk) areOnRecord(t *testing.T) {
	t.Helper()
	var found map[string]audit.Record
	b.m.WaitUntil("all bodies are on record", func() bool {
		found = map[string]audit.Record{}
		for _, r := range b.m.Records() {
			if r.Kind == "outcome" && r.Intent != "" && r.Path != "" {
				found[r.Path] = r
			}
		}
		return len(found) == len(b.want)
	})
	for path, size := range b.want {
		r := found[path]
		if n := max(r.BytesUp, r.BytesDown); r.Status != 200 || n != size {
			t.Errorf("%s is on record with status %d and %d bytes, want %d", path, r.Status, n, size)
		}
	}
}

// memory is a value of the server's process in bytes, by its name in /proc.
func (m *matrix) memory(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.ServerPID()), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil {
		t.Skipf("no %s in /proc: %v", name, err)
	}
	return kib << 10
}
