package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// harmed is a closed log that somebody did something to.
type harmed struct {
	dir  string
	segs []segment.File
	kept []string // a checkpoint of it that was kept elsewhere
}

func (h *harmed) rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	if err := os.WriteFile(path, change(audittest.Must(os.ReadFile(path))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestI8EveryHarmHasItsVerdict does to a log what disks, operators and intruders
// do, with no key in hand, and wants the first bad record named. What only a
// kept checkpoint can show says so.
func TestI8EveryHarmHasItsVerdict(t *testing.T) {
	cut := func(n int) func(b []byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	for _, c := range []struct {
		name string
		harm func(t *testing.T, h *harmed)
		bad  func(h *harmed) uint64 // nil: nothing is bad
		why  string
		kept bool // the verifier has the kept checkpoint
	}{
		{"nothing", func(*testing.T, *harmed) {}, nil, "", true},
		{"the first segment is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[0].Path) }, func(*harmed) uint64 { return 0 }, "a segment is missing", false},
		{"a segment in the middle is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[1].Path) }, func(h *harmed) uint64 { return h.segs[1].First }, "a segment is missing", false},
		{"the last segment.File is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[len(h.segs)-1].Path) },
			func(h *harmed) uint64 { return h.segs[len(h.segs)-1].First }, "the published checkpoint", false},
		{"the last segment.File and the tiles are deleted", func(t *testing.T, h *harmed) {
			os.Remove(h.segs[len(h.segs)-1].Path)
			os.RemoveAll(filepath.Join(h.dir, audit.TilesDir))
		}, func(h *harmed) uint64 { return h.segs[len(h.segs)-1].First }, "older copy", true},
		{"a segment is emptied", func(t *testing.T, h *harmed) { os.Truncate(h.segs[1].Path, 0) }, func(h *harmed) uint64 { return h.segs[1].First }, "a segment is missing", false},
		{"two segments change places", func(t *testing.T, h *harmed) {
			a, b := audittest.Must(os.ReadFile(h.segs[1].Path)), audittest.Must(os.ReadFile(h.segs[2].Path))
			os.WriteFile(h.segs[1].Path, b, 0o600)
			os.WriteFile(h.segs[2].Path, a, 0o600)
		}, func(h *harmed) uint64 { return h.segs[1].First }, "seq is", false},
		{"a segment ends in the middle of a line", func(t *testing.T, h *harmed) { h.rewrite(t, h.segs[1].Path, cut(9)) },
			func(h *harmed) uint64 { return h.segs[2].First - 1 }, "unfinished", false},
		{"the log ends in the middle of a line", func(t *testing.T, h *harmed) { h.rewrite(t, h.segs[len(h.segs)-1].Path, cut(9)) }, nil, "", false},
		{"the same, and a checkpoint was kept", func(t *testing.T, h *harmed) {
			os.RemoveAll(filepath.Join(h.dir, audit.TilesDir))
			h.rewrite(t, h.segs[len(h.segs)-1].Path, cut(9))
		}, func(h *harmed) uint64 {
			return audittest.Must(audit.ParseCheckpoint(h.kept[0], audittest.PublicKey)).Size
		}, "the tail was cut", true},
		{"zeros in a segment that has ended", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].Path, func(b []byte) []byte { return append(b, make([]byte, 512)...) })
		}, nil, "", false},
		{"a page of zeros in the middle", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].Path, func(b []byte) []byte { copy(b[1000:1512], make([]byte, 512)); return b })
		}, func(*harmed) uint64 { return 1 }, "unfinished", false},
		{"a line is doubled", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].Path, func(b []byte) []byte { n := bytes.IndexByte(b, '\n') + 1; return append(bytes.Clone(b[:n]), b...) })
		}, func(*harmed) uint64 { return 1 }, "seq is 0", false},
		{"another file among the segments", func(t *testing.T, h *harmed) { os.WriteFile(filepath.Join(h.dir, "notes.txt"), nil, 0o600) }, nil, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := sealedLog(t)
			h := &harmed{dir, audittest.Must(segment.List(dir)), []string{audittest.LastCheckpoint(t, dir)}}
			c.harm(t, h)
			o := audit.VerifyOptions{}
			if c.kept {
				o.Kept = h.kept
			}
			rep, err := audit.VerifyWith(dir, audittest.PublicKey, o)
			if c.bad == nil {
				if err != nil && c.name != "the log ends in the middle of a line" {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil || rep.Bad.Seq != c.bad(h) || !strings.Contains(rep.Bad.Why, c.why) {
				t.Errorf("%+v, want seq %d because %s", rep.Bad, c.bad(h), c.why)
			}
		})
	}
}

// TestI8EveryBitOfALogCounts flips one bit in each byte of a small closed log.
func TestI8EveryBitOfALogCounts(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, CheckpointEvery: time.Hour})
	mustWait(t, l.Append(audittest.Intent(1)), l.Append(&audit.Record{Kind: "outcome", Intent: "r_1", Status: 200}))
	l.Close()
	os.RemoveAll(filepath.Join(dir, audit.TilesDir))
	path := audittest.Must(segment.List(dir))[0].Path
	whole := audittest.Must(os.ReadFile(path))
	lineOf := func(at int) uint64 { return uint64(bytes.Count(whole[:at], []byte("\n"))) }
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(whole); at += step {
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << (at % 8)
		os.WriteFile(path, changed, 0o600)
		rep, err := audit.Verify(dir, audittest.PublicKey, nil)
		if err == nil && !rep.Closed && at == len(whole)-1 {
			continue // the end of the last line: a log that was not closed
		}
		if !errors.Is(err, audit.ErrBroken) || rep.Bad.Seq != lineOf(at) && rep.Bad.Seq != lineOf(at)+1 {
			if err == nil && rep.Unfinished > 0 && !rep.Closed {
				continue // a zero byte: from there on it is a torn tail, and the log was not closed
			}
			t.Errorf("byte %d of line %d: %+v %v", at, lineOf(at), rep.Bad, err)
		}
	}
}
