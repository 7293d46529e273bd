package audit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// harmed is a closed log that somebody did something to.
type harmed struct {
	dir  string
	segs []segment
	kept []string // a checkpoint of it that was kept elsewhere
}

func (h *harmed) rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	if err := os.WriteFile(path, change(must(os.ReadFile(path))), 0o600); err != nil {
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
		{"the first segment is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[0].path) }, func(*harmed) uint64 { return 0 }, "a segment is missing", false},
		{"a segment in the middle is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[1].path) }, func(h *harmed) uint64 { return h.segs[1].first }, "a segment is missing", false},
		{"the last segment is deleted", func(t *testing.T, h *harmed) { os.Remove(h.segs[len(h.segs)-1].path) },
			func(h *harmed) uint64 { return h.segs[len(h.segs)-1].first }, "the published checkpoint", false},
		{"the last segment and the tiles are deleted", func(t *testing.T, h *harmed) {
			os.Remove(h.segs[len(h.segs)-1].path)
			os.RemoveAll(filepath.Join(h.dir, tilesDir))
		}, func(h *harmed) uint64 { return h.segs[len(h.segs)-1].first }, "older copy", true},
		{"a segment is emptied", func(t *testing.T, h *harmed) { os.Truncate(h.segs[1].path, 0) }, func(h *harmed) uint64 { return h.segs[1].first }, "a segment is missing", false},
		{"two segments change places", func(t *testing.T, h *harmed) {
			a, b := must(os.ReadFile(h.segs[1].path)), must(os.ReadFile(h.segs[2].path))
			os.WriteFile(h.segs[1].path, b, 0o600)
			os.WriteFile(h.segs[2].path, a, 0o600)
		}, func(h *harmed) uint64 { return h.segs[1].first }, "seq is", false},
		{"a segment ends in the middle of a line", func(t *testing.T, h *harmed) { h.rewrite(t, h.segs[1].path, cut(9)) },
			func(h *harmed) uint64 { return h.segs[2].first - 1 }, "unfinished", false},
		{"the log ends in the middle of a line", func(t *testing.T, h *harmed) { h.rewrite(t, h.segs[len(h.segs)-1].path, cut(9)) }, nil, "", false},
		{"the same, and a checkpoint was kept", func(t *testing.T, h *harmed) {
			os.RemoveAll(filepath.Join(h.dir, tilesDir))
			h.rewrite(t, h.segs[len(h.segs)-1].path, cut(9))
		}, func(h *harmed) uint64 { return must(unverified(h.kept[0])).Size }, "the tail was cut", true},
		{"zeros in a segment that has ended", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].path, func(b []byte) []byte { return append(b, make([]byte, 512)...) })
		}, nil, "", false},
		{"a page of zeros in the middle", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].path, func(b []byte) []byte { copy(b[1000:1512], make([]byte, 512)); return b })
		}, func(*harmed) uint64 { return 1 }, "unfinished", false},
		{"a line is doubled", func(t *testing.T, h *harmed) {
			h.rewrite(t, h.segs[0].path, func(b []byte) []byte { n := bytes.IndexByte(b, '\n') + 1; return append(bytes.Clone(b[:n]), b...) })
		}, func(*harmed) uint64 { return 1 }, "seq is 0", false},
		{"another file among the segments", func(t *testing.T, h *harmed) { os.WriteFile(filepath.Join(h.dir, "notes.txt"), nil, 0o600) }, nil, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := sealedLog(t)
			h := &harmed{dir, must(segments(dir)), keptNotes(t, dir)}
			c.harm(t, h)
			o := VerifyOptions{}
			if c.kept {
				o.Kept = h.kept
			}
			rep, err := VerifyWith(dir, testPub, o)
			if c.bad == nil {
				if err != nil && c.name != "the log ends in the middle of a line" {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, ErrBroken) || rep.Bad == nil || rep.Bad.Seq != c.bad(h) || !strings.Contains(rep.Bad.Why, c.why) {
				t.Errorf("%+v, want seq %d because %s", rep.Bad, c.bad(h), c.why)
			}
		})
	}
}

// TestI8EveryBitOfALogCounts flips one bit in each byte of a small closed log.
func TestI8EveryBitOfALogCounts(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, CheckpointEvery: time.Hour})
	mustWait(t, l.Append(intent(1)), l.Append(&Record{Kind: "outcome", Intent: "r_1", Status: 200}))
	l.Close()
	os.RemoveAll(filepath.Join(dir, tilesDir))
	path := must(segments(dir))[0].path
	whole := must(os.ReadFile(path))
	lineOf := func(at int) uint64 { return uint64(bytes.Count(whole[:at], []byte("\n"))) }
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(whole); at += step {
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << (at % 8)
		os.WriteFile(path, changed, 0o600)
		rep, err := Verify(dir, testPub, nil)
		if err == nil && !rep.Closed && at == len(whole)-1 {
			continue // the end of the last line: a log that was not closed
		}
		if !errors.Is(err, ErrBroken) || rep.Bad.Seq != lineOf(at) && rep.Bad.Seq != lineOf(at)+1 {
			if err == nil && rep.Unfinished > 0 && !rep.Closed {
				continue // a zero byte: from there on it is a torn tail, and the log was not closed
			}
			t.Errorf("byte %d of line %d: %+v %v", at, lineOf(at), rep.Bad, err)
		}
	}
}

// TestTwoProcessesOnOneLog has a second process open a log that the first one
// writes: it is told so, and harms nothing.
func TestTwoProcessesOnOneLog(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	kept := fill(t, l, 5)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BYLINE_AUDIT_CHILD="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "stop that byline") {
		t.Errorf("%v: %s", err, out)
	}
	kept = append(kept, fill(t, l, 5)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir, kept...)
}

// TestRollbackIsPutOnRecord puts segments back from an older copy and leaves the
// published checkpoint: the next start says so, and verification before it does.
func TestRollbackIsPutOnRecord(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	fill(t, l, 5)
	l.Close()
	backup := t.TempDir()
	copyLog(t, dir, backup)
	l = openLog(t, Config{Dir: dir})
	fill(t, l, 5)
	l.Close()
	copyLog(t, backup, dir)
	if rep, err := Verify(dir, testPub, nil); !errors.Is(err, ErrBroken) || !strings.Contains(rep.Bad.Why, "older copy") {
		t.Errorf("before the start: %v", err)
	}
	l = openLog(t, Config{Dir: dir})
	fill(t, l, 1)
	l.Close()
	if !alerted(t, dir, "rolled_back") {
		t.Error("the start does not put it on record")
	}
	if ahead := must(filepath.Glob(filepath.Join(dir, tilesDir, "checkpoint.ahead-*"))); len(ahead) != 1 {
		t.Errorf("the checkpoint that shows it is gone: %v", ahead)
	}
	mustVerify(t, dir)
}
