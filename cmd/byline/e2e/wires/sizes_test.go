package wires

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
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
	{"h1", "h2", 128 << 20},
	{"h2", "h1", 128 << 20},
}

// textSize is how many bytes of text are read for secrets on their way.
const textSize = 64 << 20

// TestBodiesOfGigabytesTakeTheMemoryOfASmallOne looks at the server's process: at
// what it holds before, and at the most that it ever held.
func TestBodiesOfGigabytesTakeTheMemoryOfASmallOne(t *testing.T) {
	m := open(t, "", 1)
	var cells []*cell
	for _, b := range bigBodies {
		c := m.cell(t, m.task, b.from, b.to)
		c.answers(bulk)
		c.download("application/octet-stream", 1<<20) // connections and buffers are there
		cells = append(cells, c)
	}
	before := m.memory(t, "VmRSS")
	for i, b := range bigBodies {
		if testing.Short() {
			b.size = min(b.size, 16<<20)
		}
		t.Run(b.from+" to "+b.to, func(t *testing.T) {
			cells[i].t = t
			cells[i].download("application/octet-stream", b.size)
			cells[i].upload(b.size)
			cells[i].download("text/plain", min(b.size, textSize))
			most := m.memory(t, "VmHWM")
			t.Logf("%d MiB each way: %d MiB before, %d MiB at the most", b.size>>20, before>>20, most>>20)
			if most-before > mostGrowth {
				t.Errorf("the server grew by %d MiB", (most-before)>>20)
			}
		})
	}
}

// bulk takes what it is given, and gives as many bytes as are asked for.
func bulk(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		n, err := drain(r.Body)
		fmt.Fprint(w, n, " ", err)
		return
	}
	n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	w.Header().Set("Content-Type", r.URL.Query().Get("type"))
	if r.URL.Query().Get("type") != "text/plain" {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	for piece := make([]byte, 256<<10); n > 0; n -= int64(len(piece)) {
		piece = piece[:min(n, int64(len(piece)))]
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// drain reads to the end, with as few calls as it can.
func drain(r io.Reader) (n int64, err error) {
	for piece := make([]byte, 256<<10); ; {
		got, err := r.Read(piece)
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (c *cell) download(kind string, size int64) {
	c.t.Helper()
	a := c.doAs(c.agent.Unkept(), c.request("GET", fmt.Sprintf("/down?n=%d&type=%s", size, kind), nil))
	if n, err := drain(a.Body); n != size || err != nil {
		c.t.Errorf("down as %s: %d bytes of %d, %v", kind, n, size, err)
	}
}

func (c *cell) upload(size int64) {
	c.t.Helper()
	a := c.doAs(c.agent.Unkept(), c.request("POST", "/up", io.LimitReader(zeros{new(atomic.Int64)}, size)))
	if b, err := io.ReadAll(a.Body); string(b) != fmt.Sprint(size, " <nil>") || err != nil {
		c.t.Errorf("up: %q %v", b, err)
	}
}

// memory is a value of the server's process in bytes, by its name in /proc.
func (m *matrix) memory(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.PID()), "status"))
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
